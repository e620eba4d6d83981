// What a client needs to write of HTTP/2 (RFC 9113) and HPACK (RFC 7541) for one gRPC call.

/** Types of frames. */
export const DATA = 0;
export const HEADERS = 1;
export const SETTINGS = 4;
export const PING = 6;
export const GOAWAY = 7;
export const WINDOW_UPDATE = 8;

/** Flags of frames. */
export const ACK = 1;
export const END_STREAM = 1;
const END_HEADERS = 4;

export const HEADER_LENGTH = 9;
/** The one call of a connection. */
export const STREAM = 1;

const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
const LARGEST_WINDOW = 2 ** 31 - 1;
const FIRST_WINDOW = 65_535;
/** SETTINGS_INITIAL_WINDOW_SIZE: the largest, so that flow control never holds the server back. */
const OPEN_WINDOWS = Buffer.from([0, 4, 0x7f, 0xff, 0xff, 0xff]);

/** The beginning of a connection, with its call. */
export function opening(port: number, path: string): Buffer {
  return Buffer.concat([
    PREFACE,
    frame(SETTINGS, 0, 0, OPEN_WINDOWS),
    frame(WINDOW_UPDATE, 0, 0, uint32(LARGEST_WINDOW - FIRST_WINDOW)),
    frame(HEADERS, END_HEADERS, STREAM, requestHeaders(port, path)),
  ]);
}

/** Allows the server so many bytes more, on the connection and in the call. */
export function windowUpdate(bytes: number): Buffer {
  return Buffer.concat([frame(WINDOW_UPDATE, 0, 0, uint32(bytes)), frame(WINDOW_UPDATE, 0, STREAM, uint32(bytes))]);
}

/** A gRPC message in a DATA frame of its own, as a client sends it. */
export function grpcData(message: Buffer): Buffer {
  return frame(DATA, 0, STREAM, Buffer.concat([Buffer.from([0]), uint32(message.length), message]));
}

export function frame(type: number, flags: number, stream: number, body: Buffer): Buffer {
  const header = Buffer.alloc(9);
  header.writeUIntBE(body.length, 0, 3);
  header.writeUInt8(type, 3);
  header.writeUInt8(flags, 4);
  header.writeUInt32BE(stream, 5);
  return Buffer.concat([header, body]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** HPACK without compression: indexed names and values where the static table has them, else plain literals. */
function requestHeaders(port: number, path: string): Buffer {
  const methodPost = Buffer.from([0x83]);
  const schemeHttp = Buffer.from([0x86]);
  return Buffer.concat([
    methodPost,
    schemeHttp,
    Buffer.from([0x04]),
    literal(path),
    Buffer.from([0x01]),
    literal(`127.0.0.1:${port}`),
    Buffer.from([0x00]),
    literal("te"),
    literal("trailers"),
    Buffer.from([0x00]),
    literal("content-type"),
    literal("application/grpc"),
  ]);
}

/** A string of less than 127 bytes. */
function literal(text: string): Buffer {
  return Buffer.concat([Buffer.from([text.length]), Buffer.from(text)]);
}
