import { Link, type Reader } from "../link.ts";

const PING = 9;
const CLOSE = 8;
/** A mask of zeros is a mask: the payload stays as it is. */
const NO_MASK = Buffer.alloc(4);

/** One frame from a client, whole and masked. */
export function clientFrame(payload: Buffer, opcode: number): Buffer {
  const length = payload.length;
  const size = length < 126 ? [0x80 | length] : [0x80 | 126, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([0x80 | opcode, ...size]), NO_MASK, payload]);
}

export interface Upgrade {
  readonly path: string;
  readonly subprotocol?: string;
}

/** A raw WebSocket connection that looks into headers only and hands payloads on as they come. */
export class WebSocketLink {
  readonly #link: Link;
  readonly #header = Buffer.alloc(10);
  #headerLength = 0;
  #opcode = 0;
  /** Bytes of the current frame still to come. */
  #left = 0;
  #payload: Reader = () => undefined;
  #frameEnd: () => void = () => undefined;

  private constructor(link: Link) {
    this.#link = link;
  }

  /** Opens a connection. Nothing is read of it before `read`. */
  static async open(port: number, upgrade: Upgrade): Promise<WebSocketLink> {
    const link = await Link.open(port);
    const subprotocol = upgrade.subprotocol ? `Sec-WebSocket-Protocol: ${upgrade.subprotocol}\r\n` : "";
    link.write(
      `GET ${upgrade.path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${subprotocol}\r\n`,
    );
    const answer = await link.until("\r\n\r\n");
    if (!answer.startsWith("HTTP/1.1 101")) throw new Error(`The WebSocket was refused: ${answer}`);
    return new WebSocketLink(link);
  }

  /** Gives all further payloads to `payload`, in as many spans as they come, and says where each frame ends. */
  read(payload: Reader, frameEnd: () => void = () => undefined): void {
    this.#payload = payload;
    this.#frameEnd = frameEnd;
    this.#link.read(this.#split);
  }

  /** Gives each further payload to `message`, whole. */
  readWhole(message: (payload: Buffer) => void): void {
    let parts: Buffer[] = [];
    const keep: Reader = (bytes, start, end) => parts.push(Buffer.from(bytes.subarray(start, end)));
    this.read(keep, () => {
      const whole = Buffer.concat(parts);
      parts = [];
      message(whole);
    });
  }

  write(frames: Buffer): void {
    this.#link.write(frames);
  }

  close(): void {
    this.#link.close();
  }

  readonly #split = (bytes: Buffer, start: number, end: number): void => {
    let at = start;
    while (at < end) {
      if (this.#left === 0) at = this.#readHeader(bytes, at);
      else at = this.#readPayload(bytes, at, end);
    }
  };

  #readHeader(bytes: Buffer, at: number): number {
    const header = this.#header;
    header[this.#headerLength++] = bytes[at] as number;
    const short = (header[1] as number) & 0x7f;
    const whole = short < 126 ? 2 : short === 126 ? 4 : 10;
    if (this.#headerLength >= 2 && this.#headerLength === whole) {
      this.#headerLength = 0;
      this.#opcode = (header[0] as number) & 0x0f;
      this.#left = short < 126 ? short : short === 126 ? header.readUInt16BE(2) : header.readUIntBE(4, 6);
      if (this.#opcode === CLOSE) throw new Error("The server closed a WebSocket.");
      if (this.#opcode === PING) this.#link.write(clientFrame(Buffer.alloc(0), 0xa));
    }
    return at + 1;
  }

  #readPayload(bytes: Buffer, start: number, end: number): number {
    const stop = Math.min(end, start + this.#left);
    this.#left -= stop - start;
    if (this.#opcode < CLOSE) {
      this.#payload(bytes, start, stop);
      if (this.#left === 0) this.#frameEnd();
    }
    return stop;
  }
}
