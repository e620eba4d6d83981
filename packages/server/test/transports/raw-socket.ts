import { connect, type Socket } from "node:net";

/** A plain TCP connection that says exactly what it is told, and keeps what it hears. */
export class RawSocket implements AsyncDisposable {
  readonly socket: Socket;
  /** Resolves with everything that was heard when the other side has closed, or has reset the connection. */
  readonly closed: Promise<Buffer>;
  #heard = Buffer.alloc(0);
  #onData: () => void = () => {};

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on("error", () => {});
    socket.on("data", (chunk) => {
      this.#heard = Buffer.concat([this.#heard, chunk]);
      this.#onData();
    });
    this.closed = new Promise((resolve) => {
      socket.on("close", () => {
        resolve(this.#heard);
        this.#onData();
      });
    });
  }

  static async connect(port: number): Promise<RawSocket> {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true, allowHalfOpen: false });
    const raw = new RawSocket(socket);
    await new Promise((resolve, reject) => socket.once("connect", resolve).once("error", reject));
    return raw;
  }

  send(...parts: (string | Buffer)[]): this {
    this.socket.write(Buffer.concat(parts.map((part) => Buffer.from(part as string))));
    return this;
  }

  get heard(): Buffer {
    return this.#heard;
  }

  /** Resolves with what was heard as soon as the condition holds. @throws Error when the connection ends before */
  async until(condition: (heard: Buffer) => boolean): Promise<Buffer> {
    while (!condition(this.#heard)) {
      if (this.socket.destroyed) throw new Error(`the connection ended after: ${this.#heard.toString("latin1").slice(0, 500)}`);
      await new Promise<void>((resolve) => (this.#onData = resolve));
    }
    return this.#heard;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.destroy();
  }
}
