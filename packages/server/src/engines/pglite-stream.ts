import { Duplex } from "node:stream";
import type { Worker } from "node:worker_threads";
import type { WorkerReport } from "./pglite-worker.ts";

type Done = (error?: Error | null) => void;

/** The thread's messages as the socket that the driver expects: what is written goes to PGlite, what it answers is read. */
export class PgliteStream extends Duplex {
  readonly #worker: Worker;
  #dumped: ((tar: Uint8Array) => void) | undefined;
  #failure = "PGlite's thread has ended";
  /** Written in this turn and not handed over yet. */
  #pending: Uint8Array[] = [];

  constructor(worker: Worker) {
    super({ highWaterMark: 1024 * 1024 });
    this.#worker = worker;
    worker.on("message", (report: WorkerReport) => this.#take(report));
    worker.on("error", (error) => this.destroy(error));
    worker.once("exit", () => this.#ended());
  }

  /** The database's files as a tar file. */
  dump(): Promise<Uint8Array> {
    return new Promise((resolve) => {
      this.#dumped = resolve;
      this.#worker.postMessage("dump");
    });
  }

  // What the driver does to a socket.
  connect(): void {}
  setNoDelay(): void {}
  setKeepAlive(): void {}
  ref(): void {}
  unref(): void {}

  override _read(): void {}

  /** The statements of one turn go as one message: each message wakes the thread, and costs as much as a small statement. */
  override _write(chunk: Uint8Array, _encoding: BufferEncoding, done: Done): void {
    if (this.#pending.push(chunk) === 1) queueMicrotask(() => this.#send());
    done();
  }

  override _final(done: Done): void {
    this.#send();
    this.#worker.once("exit", () => done());
    this.#worker.postMessage("close");
  }

  override _destroy(error: Error | null, done: Done): void {
    this.#worker.terminate().then(
      () => done(error),
      () => done(error),
    );
  }

  #send(): void {
    if (this.#pending.length === 0) return;
    const chunks = this.#pending;
    this.#pending = [];
    // A copy with its own memory, which can be handed over without another one.
    const bytes = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
    let offset = 0;
    for (const chunk of chunks) {
      bytes.set(chunk, offset);
      offset += chunk.length;
    }
    this.#worker.postMessage(bytes, [bytes.buffer]);
  }

  #take(report: WorkerReport): void {
    if (report === "ready") this.emit("connect");
    else if (report instanceof Uint8Array) this.push(Buffer.from(report.buffer, report.byteOffset, report.byteLength));
    else if ("dump" in report) this.#dumped?.(report.dump);
    else this.#failure = report.failure;
  }

  #ended(): void {
    if (this.writableEnded) this.push(null);
    else this.destroy(new Error(this.#failure));
  }
}
