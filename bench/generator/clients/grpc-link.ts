import { Link, type Reader } from "../link.ts";
import { ACK, DATA, END_STREAM, frame, GOAWAY, HEADER_LENGTH, HEADERS, opening, PING, SETTINGS, windowUpdate } from "./http2-frames.ts";

/** How many bytes are read before the windows are filled up again. */
const REFILL = 2 ** 28;

/** A raw HTTP/2 connection with one gRPC call on it, open in both directions. */
export class GrpcLink {
  readonly #link: Link;
  readonly #header = Buffer.alloc(HEADER_LENGTH);
  #headerLength = 0;
  /** Bytes of the current frame's body still to come. */
  #left = 0;
  /** The body of a frame other than DATA, as far as it has come. */
  #control: number[] = [];
  #unreported = 0;
  #payload: Reader = () => undefined;
  readonly #answered = Promise.withResolvers<void>();

  private constructor(link: Link) {
    this.#link = link;
    link.read(this.#split);
  }

  /** Calls a bidirectional streaming method. Messages that come before `read` are not kept. */
  static async open(port: number, path: string): Promise<GrpcLink> {
    const link = await Link.open(port);
    link.write(opening(port, path));
    return new GrpcLink(link);
  }

  /** Gives the bytes of all further DATA to `payload`: messages with their prefix of five bytes, in spans as they come. */
  read(payload: Reader): void {
    this.#payload = payload;
  }

  /** Resolves when the server has sent its headers, that is, knows of the call. */
  get answered(): Promise<void> {
    return this.#answered.promise;
  }

  /** Gives each further gRPC message to `message`, whole. */
  readWhole(message: (bytes: Buffer) => void): void {
    let held = Buffer.alloc(0);
    this.read((bytes, start, end) => {
      held = Buffer.concat([held, bytes.subarray(start, end)]);
      while (held.length >= 5 && held.length >= 5 + held.readUInt32BE(1)) {
        const whole = 5 + held.readUInt32BE(1);
        message(held.subarray(5, whole));
        held = held.subarray(whole);
      }
    });
  }

  /** Writes frames made by `grpcData`. */
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
      else at = this.#readBody(bytes, at, end);
    }
  };

  #readHeader(bytes: Buffer, at: number): number {
    this.#header[this.#headerLength++] = bytes[at] as number;
    if (this.#headerLength === this.#header.length) {
      this.#headerLength = 0;
      this.#left = this.#header.readUIntBE(0, 3);
      this.#control = [];
      if (this.#left === 0) this.#frameEnd();
    }
    return at + 1;
  }

  #readBody(bytes: Buffer, start: number, end: number): number {
    const stop = Math.min(end, start + this.#left);
    this.#left -= stop - start;
    if (this.#header[3] === DATA) this.#readData(bytes, start, stop);
    else this.#control.push(...bytes.subarray(start, stop));
    if (this.#left === 0) this.#frameEnd();
    return stop;
  }

  #readData(bytes: Buffer, start: number, end: number): void {
    this.#payload(bytes, start, end);
    this.#unreported += end - start;
    if (this.#unreported < REFILL) return;
    this.#link.write(windowUpdate(this.#unreported));
    this.#unreported = 0;
  }

  #frameEnd(): void {
    const type = this.#header[3];
    const flags = this.#header[4] as number;
    if (type === SETTINGS && !(flags & ACK)) this.#link.write(frame(SETTINGS, ACK, 0, Buffer.alloc(0)));
    if (type === PING && !(flags & ACK)) this.#link.write(frame(PING, ACK, 0, Buffer.from(this.#control)));
    if (type === GOAWAY) throw new Error("The server ended an HTTP/2 connection.");
    if (type === HEADERS && flags & END_STREAM) throw new Error("The server ended a gRPC call.");
    if (type === HEADERS) this.#answered.resolve();
  }
}
