// HTTP/2 frames as bytes (RFC 9113), good and bad.

export const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

export const Type = {
  DATA: 0,
  HEADERS: 1,
  PRIORITY: 2,
  RST_STREAM: 3,
  SETTINGS: 4,
  PUSH_PROMISE: 5,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9,
} as const;
export const END_STREAM = 1;
export const ACK = 1;
export const END_HEADERS = 4;

export function frame(type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** HPACK literals that touch no table (RFC 7541, section 6.2.2). */
export function headerBlock(fields: Readonly<Record<string, string>>): Buffer {
  const text = (value: string): Buffer =>
    Buffer.concat([Buffer.from(value.length < 127 ? [value.length] : [127, ...varint(value.length - 127)]), Buffer.from(value)]);
  return Buffer.concat(Object.entries(fields).map(([name, value]) => Buffer.concat([Buffer.from([0]), text(name), text(value)])));
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...varint(value >>> 7)];
}

export function callHeaders(path: string, more: Readonly<Record<string, string>> = {}): Buffer {
  return headerBlock({
    ":method": "POST",
    ":scheme": "http",
    ":path": path,
    ":authority": "x",
    "content-type": "application/grpc",
    te: "trailers",
    authorization: "Bearer good",
    ...more,
  });
}

export const rstStream = (stream: number): Buffer => frame(Type.RST_STREAM, 0, stream, Buffer.from([0, 0, 0, 8]));
export const ping = (): Buffer => frame(Type.PING, 0, 0, Buffer.alloc(8));
export const settings = (payload?: Buffer): Buffer => frame(Type.SETTINGS, 0, 0, payload);

export function windowUpdate(stream: number, increment: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(increment);
  return frame(Type.WINDOW_UPDATE, 0, stream, payload);
}

/** A gRPC message with its prefix. */
export function message(payload: Buffer, flag = 0, length = payload.length): Buffer {
  const prefix = Buffer.alloc(5);
  prefix[0] = flag;
  prefix.writeUInt32BE(length, 1);
  return Buffer.concat([prefix, payload]);
}

export interface HeardFrame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

/** The complete frames in what was heard. */
export function framesIn(heard: Buffer): readonly HeardFrame[] {
  const frames: HeardFrame[] = [];
  for (let at = 0; at + 9 <= heard.length && at + 9 + heard.readUIntBE(at, 3) <= heard.length; at += 9 + heard.readUIntBE(at, 3)) {
    frames.push({
      type: heard[at + 3] as number,
      flags: heard[at + 4] as number,
      stream: heard.readUInt32BE(at + 5) & 0x7fffffff,
      payload: heard.subarray(at + 9, at + 9 + heard.readUIntBE(at, 3)),
    });
  }
  return frames;
}
