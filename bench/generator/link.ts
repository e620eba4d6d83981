import { once } from "node:events";
import { writeSync } from "node:fs";
import { connect, type Socket } from "node:net";

/** Takes bytes from `start` to `end`. They are overwritten afterwards: what is to be kept must be copied. */
export type Reader = (bytes: Buffer, start: number, end: number) => void;

/** All links read into the same memory, which stays in the cache; a read ends before the next one begins. */
const SHARED = Buffer.allocUnsafeSlow(256 * 1024);

/** A raw TCP connection. That the server closes it is a failure of the round, and ends the generator. */
export class Link {
  readonly #socket: Socket;
  #reader: Reader;
  #fd: number | undefined;
  #closing = false;
  /** What came while a conversation was waiting for something else. */
  #held = Buffer.alloc(0);

  private constructor(port: number) {
    this.#reader = this.#hold;
    const read = (length: number): boolean => {
      this.#reader(SHARED, 0, length);
      return true;
    };
    this.#socket = connect({ host: "127.0.0.1", port, noDelay: true, onread: { buffer: SHARED, callback: read } });
    this.#socket.on("close", () => {
      if (!this.#closing) throw new Error("The server closed a connection.");
    });
  }

  static async open(port: number): Promise<Link> {
    const link = new Link(port);
    await once(link.#socket, "connect");
    return link;
  }

  write(bytes: Buffer | string): void {
    this.#socket.write(bytes);
  }

  /** Waits until all of `text` has come, and takes everything up to its end. */
  async until(text: string): Promise<string> {
    const end = await this.find((held) => {
      const at = held.indexOf(text);
      return at < 0 ? undefined : at + text.length;
    });
    return end.toString();
  }

  /** Waits until `length` finds how many of the bytes held make a whole, and takes them. */
  find(length: (held: Buffer) => number | undefined): Promise<Buffer> {
    return new Promise((resolve) => {
      const look = (): void => {
        const end = length(this.#held);
        if (end === undefined) return;
        this.#reader = this.#hold;
        const taken = this.#held.subarray(0, end);
        this.#held = this.#held.subarray(end);
        resolve(taken);
      };
      this.#reader = (bytes, start, stop) => {
        this.#hold(bytes, start, stop);
        look();
      };
      look();
    });
  }

  /** Gives all further bytes to `reader`. */
  read(reader: Reader): void {
    const held = this.#held;
    this.#held = Buffer.alloc(0);
    this.#reader = reader;
    if (held.length > 0) reader(held, 0, held.length);
  }

  /** Writes a few bytes, for which Node's stream would cost more than they do; they may be overwritten afterwards. */
  answer(bytes: Buffer): void {
    const written = this.#socket.writableLength === 0 ? this.#writeNow(bytes) : 0;
    if (written < bytes.length) this.#socket.write(Buffer.from(bytes.subarray(written)));
  }

  /** Says how many bytes the network took at once. */
  #writeNow(bytes: Buffer): number {
    try {
      // Asked once: it costs a tenth of the write.
      this.#fd ??= (this.#socket as unknown as { readonly _handle: { readonly fd: number } })._handle.fd;
      return writeSync(this.#fd, bytes);
    } catch {
      return 0;
    }
  }

  close(): void {
    this.#closing = true;
    this.#fd = -1;
    this.#socket.destroy();
  }

  readonly #hold = (bytes: Buffer, start: number, end: number): void => {
    this.#held = Buffer.concat([this.#held, bytes.subarray(start, end)]);
  };
}
