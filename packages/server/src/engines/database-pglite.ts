// The embedded engine: PostgreSQL compiled to WebAssembly, in a thread of this process, with its files in a directory. It is
// spoken to in PostgreSQL's protocol, so both engines share the driver and behave alike. It has a single session: while a
// connection is held, everybody else waits.
import { setFlagsFromString } from "node:v8";
import { Worker } from "node:worker_threads";
import pg from "pg";
import { type Connection, type Database, DatabaseError, type Perishable, type SqlResult, type SqlValue } from "../ports/database.ts";
import { type DirectoryLock, lockDirectory } from "./directory-lock.ts";
import { inTransaction, PgConnection } from "./pg-connection.ts";
import { PreparedStatements } from "./pg-statements.ts";
import { columnTypes } from "./pg-values.ts";
import { PgliteStream } from "./pglite-stream.ts";
import { PgliteUpkeep } from "./pglite-upkeep.ts";
import type { WorkerInput } from "./pglite-worker.ts";
import { SessionGate } from "./session-gate.ts";

export interface PgliteOptions {
  /** Where the files are; made if missing. Undefined: in memory, gone when closed. */
  readonly dataDir: string | undefined;
  /** PostgreSQL's shared_buffers; "16MB" unless given. */
  readonly sharedBuffers?: string | undefined;
  /** What `dump` gave: a new database starts as a copy of that one, in a quarter of the time. */
  readonly template?: Uint8Array<ArrayBuffer> | undefined;
}

const moduleExtension = import.meta.url.endsWith(".ts") ? "ts" : "js";
const workerUrl = new URL(`./pglite-worker.${moduleExtension}`, import.meta.url);

/**
 * V8 optimizes a WebAssembly function after it has run for this long (its unit is about a byte of code). Its default of 13
 * million recompiles much of PostgreSQL in the first seconds, which costs 200 MB at rest, 400 MB at the peak, and a core.
 * Measured, first 20,000 rows in batches of 200: 5,000 rows/s with the default, 39,000 with this; later both are equal.
 */
const TIERING_BUDGET = 100_000_000;

/**
 * Opens the database in the directory, or makes one there (some seconds, once).
 * @throws DatabaseError `unavailable` when another process has it open, `fault` when it cannot be opened.
 */
export async function openPglite(options: PgliteOptions): Promise<PgliteDatabase> {
  const lock = options.dataDir === undefined ? undefined : await lockDirectory(options.dataDir);
  setFlagsFromString(`--wasm-tiering-budget=${TIERING_BUDGET}`);
  const syncs = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
  const { dataDir, sharedBuffers = "16MB", template } = options;
  const workerData: WorkerInput = { dataDir, sharedBuffers, template, syncs };
  const stream = new PgliteStream(new Worker(workerUrl, { workerData, name: "pglite" }));
  const client = new pg.Client({ ...clientConfig, stream: () => stream });
  // A lost thread is known by the calls that fail. Unheard, this would throw.
  client.on("error", () => {});
  try {
    await client.connect();
  } catch (error) {
    await lock?.release();
    throw new DatabaseError("fault", `the embedded database did not open: ${(error as Error).message}`, { cause: error });
  }
  return new PgliteDatabase(client, stream, new Int32Array(syncs), lock);
}

/** Everything is given, so that no PG... variable of the environment, meant for a server, applies. */
const clientConfig = {
  host: "pglite",
  port: 0,
  user: "postgres",
  password: "",
  database: "postgres",
  application_name: "parlor",
  ssl: false,
  options: "",
  types: columnTypes,
  pipeline: true,
};

/** The port, and what tests and diagnostics may know beyond it. */
export class PgliteDatabase implements Database, Perishable {
  readonly lost: Promise<DatabaseError>;
  readonly #client: pg.Client;
  readonly #stream: PgliteStream;
  readonly #syncs: Int32Array;
  readonly #lock: DirectoryLock | undefined;
  readonly #gate = new SessionGate();
  readonly #statements = new PreparedStatements();
  /** For statements by themselves. */
  readonly #single: PgConnection;
  readonly #upkeep: PgliteUpkeep;
  #closed: Promise<void> | undefined;

  constructor(client: pg.Client, stream: PgliteStream, syncs: Int32Array, lock: DirectoryLock | undefined) {
    this.#client = client;
    this.#stream = stream;
    this.#syncs = syncs;
    this.#lock = lock;
    this.#single = new PgConnection({ client, statements: this.#statements, onRelease: () => {} });
    this.#upkeep = new PgliteUpkeep(this, () => this.syncs);
    this.lost = new Promise((resolve) => stream.once("error", (cause) => resolve(stopped(cause))));
  }

  /** How often a file was synced to disk since the database was opened. */
  get syncs(): number {
    return Atomics.load(this.#syncs, 0);
  }

  /** The database's files as a tar file, for the option `template`. */
  async dump(): Promise<Uint8Array<ArrayBuffer>> {
    const connection = await this.connect();
    try {
      return new Uint8Array(await this.#stream.dump());
    } finally {
      await connection.release();
    }
  }

  async query<Row>(sql: string, params?: readonly SqlValue[]): Promise<SqlResult<Row>> {
    this.#assertOpen();
    // Not held while the answer is on its way: whoever comes next is behind it in the pipe.
    if (this.#gate.free) return this.#single.query(sql, params);
    await this.#gate.enter();
    const result = this.#single.query<Row>(sql, params);
    this.#gate.leave();
    return result;
  }

  async transaction<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    return inTransaction(await this.connect(), work);
  }

  async connect(): Promise<Connection> {
    this.#assertOpen();
    await this.#gate.enter();
    return new PgConnection({
      client: this.#client,
      statements: this.#statements,
      onRelease: () => this.#gate.leave(),
    });
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    await this.#upkeep.stop();
    await this.#gate.enter();
    try {
      await this.#client.end();
    } finally {
      this.#gate.leave();
      await this.#lock?.release();
    }
  }

  #assertOpen(): void {
    if (this.#closed !== undefined) throw new DatabaseError("unavailable", "the database is closed");
    if (this.#stream.destroyed) throw stopped(this.#stream.errored);
  }
}

function stopped(cause: unknown): DatabaseError {
  return new DatabaseError("unavailable", "the embedded database has stopped: start this process again", { cause });
}
