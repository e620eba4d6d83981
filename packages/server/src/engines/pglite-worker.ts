// The thread that PGlite runs in. It takes messages of PostgreSQL's protocol and answers with PostgreSQL's.
import { once } from "node:events";
import { parentPort, Worker, workerData } from "node:worker_threads";
import type { PGlite } from "@electric-sql/pglite";
import { type ClusterOptions, makeCluster, openCluster } from "./pglite-cluster.ts";
import { withoutTierUp } from "./pglite-tiers.ts";

export interface WorkerInput extends ClusterOptions {
  /** One Int32: how often a file was synced. */
  readonly syncs: SharedArrayBuffer;
  /** With it the thread makes a database there, and ends. */
  readonly make?: string;
}

export type WorkerRequest = Uint8Array | "dump" | "close";
/** Bytes of the protocol; or an answer to "dump"; or that PGlite is ready or cannot go on. */
export type WorkerReport = Uint8Array | { readonly dump: Uint8Array } | { readonly failure: string } | "ready";

/** The status that PGlite leaves the main loop with after an ordinary error, which it then handles itself. */
const ORDINARY_ERROR = 100;
const INITIAL_BYTES = 256 * 1024;

/** Collects the pieces of an answer, which PostgreSQL writes 8 KiB at a time. */
class Answer {
  #bytes = new Uint8Array(INITIAL_BYTES);
  #length = 0;

  add(piece: Uint8Array): void {
    if (this.#length + piece.length > this.#bytes.length) this.#grow(this.#length + piece.length);
    this.#bytes.set(piece, this.#length);
    this.#length += piece.length;
  }

  take(): Uint8Array<ArrayBuffer> {
    const taken = this.#bytes.slice(0, this.#length);
    this.#length = 0;
    if (this.#bytes.length > 16 * INITIAL_BYTES) this.#bytes = new Uint8Array(INITIAL_BYTES);
    return taken;
  }

  #grow(needed: number): void {
    const larger = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
  }
}

class PgliteWorker {
  readonly #port: NonNullable<typeof parentPort>;
  readonly #database: PGlite;
  readonly #answer = new Answer();

  constructor(port: NonNullable<typeof parentPort>, database: PGlite) {
    this.#port = port;
    this.#database = database;
    this.#stopAfterPanic();
  }

  async take(request: WorkerRequest): Promise<void> {
    if (request === "close") return this.#close();
    if (request === "dump") return this.#dump();
    // Runs before the first await, so that requests are answered in order.
    await this.#database.execProtocolRawStream(request, {
      syncToFs: false,
      onRawData: (piece) => this.#answer.add(piece),
    });
    const bytes = this.#answer.take();
    if (bytes.length > 0) this.#port.postMessage(bytes satisfies WorkerReport, [bytes.buffer]);
  }

  async #dump(): Promise<void> {
    const file = await this.#database.dumpDataDir("none");
    this.#port.postMessage({ dump: await file.bytes() } satisfies WorkerReport);
  }

  async #close(): Promise<void> {
    await this.#database.close();
    this.#port.close();
  }

  /**
   * PGlite's loop swallows every exception of PostgreSQL's and goes on, for ever if PostgreSQL is dead (a panic such as a
   * failed sync). Then the thread ends, which the other side reports.
   */
  #stopAfterPanic(): void {
    const module = this.#database.Module as { _PostgresMainLoopOnce(): void };
    const loopOnce = module._PostgresMainLoopOnce;
    module._PostgresMainLoopOnce = () => {
      try {
        loopOnce();
      } catch (error) {
        if ((error as { status?: number }).status === ORDINARY_ERROR) throw error;
        this.#port.postMessage({ failure: `PostgreSQL has stopped: ${String(error)}` } satisfies WorkerReport);
        process.exit(1);
      }
    };
  }
}

async function run(port: NonNullable<typeof parentPort>, input: WorkerInput): Promise<void> {
  if (input.make !== undefined) return makeCluster(input.make, input);
  const syncs = new Int32Array(input.syncs);
  const make = async (directory: string): Promise<void> => {
    const workerData: WorkerInput = { ...input, make: directory };
    using _ = withoutTierUp();
    await once(new Worker(new URL(import.meta.url), { workerData, name: "pglite-make" }), "exit");
  };
  const database = await openCluster(input, { onSync: () => Atomics.add(syncs, 0, 1), make });
  const worker = new PgliteWorker(port, database);
  port.on("message", (request: WorkerRequest) => worker.take(request));
  port.postMessage("ready" satisfies WorkerReport);
}

if (parentPort !== null) await run(parentPort, workerData as WorkerInput);
