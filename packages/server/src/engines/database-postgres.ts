// PostgreSQL through a pool of sessions.
import { setTimeout as sleep } from "node:timers/promises";
import pg, { type ClientBase, type PoolConfig } from "pg";
import { type Connection, type Database, DatabaseError, type Pooled, type SqlResult, type SqlValue } from "../ports/database.ts";
import { inTransaction, PgConnection } from "./pg-connection.ts";
import { toDatabaseError } from "./pg-errors.ts";
import { PLAN_CACHE_MODE, PreparedStatements } from "./pg-statements.ts";
import { columnTypes } from "./pg-values.ts";

/** Where the database is: a URL, or its parts. What is left out comes from the PG... environment, as with psql. */
export interface PostgresOptions {
  readonly url?: string | undefined;
  readonly host?: string | undefined;
  readonly port?: number | undefined;
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  readonly database?: string | undefined;
  /** Sessions at most; 10 unless given. */
  readonly poolSize?: number | undefined;
  /** Milliseconds to wait for a session; 5,000 unless given. */
  readonly connectTimeoutMs?: number | undefined;
  /** Milliseconds that a statement may run; 30,000 unless given. */
  readonly statementTimeoutMs?: number | undefined;
  /** Milliseconds that a statement may wait for a lock; 10,000 unless given. */
  readonly lockTimeoutMs?: number | undefined;
}

/** How much later than the server's own time-out a silent connection counts as lost, in milliseconds. */
const ANSWER_MARGIN_MS = 10_000;

/** While the server is restarted, calls that changed nothing yet wait for it this long at most, in milliseconds. */
const RETURN_MS = 2000;

/**
 * Opens a pool of sessions, the first of them at once.
 * @throws DatabaseError `unavailable` when the server cannot be reached, `fault` when it refuses (password, no such database).
 */
export async function openPostgres(options: PostgresOptions): Promise<Database> {
  const statementTimeoutMs = options.statementTimeoutMs ?? 30_000;
  const database = new PostgresDatabase(poolConfig(options, statementTimeoutMs), statementTimeoutMs + ANSWER_MARGIN_MS);
  try {
    await database.open();
  } catch (error) {
    await database.close();
    throw error;
  }
  return database;
}

/** Plans that look dear for the sake of all partitions must not call up a compiler or other processes for a page of one room. */
const sessionSettings = [
  "TimeZone=UTC",
  "default_transaction_isolation=read\\ committed",
  `plan_cache_mode=${PLAN_CACHE_MODE}`,
  "jit=off",
  "max_parallel_workers_per_gather=0",
];

function poolConfig(options: PostgresOptions, statementTimeoutMs: number): PoolConfig {
  const { host, port, user, password, database } = options;
  const where = options.url === undefined ? { host, port, user, password, database } : { connectionString: options.url };
  return {
    ...where,
    application_name: "parlor",
    max: options.poolSize ?? 10,
    connectionTimeoutMillis: options.connectTimeoutMs ?? 5_000,
    idleTimeoutMillis: 30_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    statement_timeout: statementTimeoutMs,
    lock_timeout: options.lockTimeoutMs ?? 10_000,
    idle_in_transaction_session_timeout: 60_000,
    options: sessionSettings.map((setting) => `-c ${setting}`).join(" "),
    types: columnTypes,
    // Calls on one connection are sent without waiting for the answers to those before.
    pipeline: true,
  };
}

class PostgresDatabase implements Database, Pooled {
  readonly #pool: pg.Pool;
  readonly #answerTimeoutMs: number;
  readonly #returnMs: number;
  readonly #statements = new WeakMap<ClientBase, PreparedStatements>();
  #opened = false;
  #closed: Promise<void> | undefined;

  constructor(config: PoolConfig, answerTimeoutMs: number) {
    this.#answerTimeoutMs = answerTimeoutMs;
    this.#returnMs = Math.min(RETURN_MS, config.connectionTimeoutMillis ?? RETURN_MS);
    this.#pool = new pg.Pool(config);
    // A lost session is known by the calls that fail, and by the pool, which makes another. Unheard, these would throw.
    this.#pool.on("error", () => {});
    this.#pool.on("connect", (client) => client.on("error", () => {}));
  }

  get sessions(): Pooled["sessions"] {
    const { totalCount, idleCount, waitingCount } = this.#pool;
    return { open: totalCount, used: totalCount - idleCount, waiting: waitingCount };
  }

  /** Makes the first session. */
  async open(): Promise<void> {
    const client = await this.#pool.connect().catch(fail);
    client.release();
    this.#opened = true;
  }

  /** A statement that only reads is asked again when its session was lost, as all are when the server is restarted. */
  async query<Row>(sql: string, params?: readonly SqlValue[]): Promise<SqlResult<Row>> {
    const until = performance.now() + this.#returnMs;
    for (;;) {
      const connection = await this.#session();
      try {
        return await connection.query<Row>(sql, params);
      } catch (error) {
        if (!connection.broken || !isUnavailable(error) || performance.now() >= until) throw error;
      } finally {
        await connection.release();
      }
    }
  }

  async transaction<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    return inTransaction(await this.connect(), work);
  }

  connect(): Promise<Connection> {
    return this.#session();
  }

  close(): Promise<void> {
    this.#closed ??= this.#pool.end();
    return this.#closed;
  }

  async #session(): Promise<PgConnection> {
    const client = await this.#checkOut();
    const statements = this.#statements.get(client) ?? new PreparedStatements();
    this.#statements.set(client, statements);
    const onRelease = (broken: boolean) => client.release(broken);
    return new PgConnection({ client, statements, onRelease, answerTimeoutMs: this.#answerTimeoutMs });
  }

  async #checkOut(): Promise<pg.PoolClient> {
    const until = performance.now() + this.#returnMs;
    for (let wait = 20; ; wait = Math.min(2 * wait, 250)) {
      const client = await this.#pool.connect().catch(toDatabaseErrorOf);
      if (!(client instanceof DatabaseError)) return client;
      const hopeless = client.kind !== "unavailable" || !this.#opened || this.#closed !== undefined;
      if (hopeless || performance.now() + wait >= until) throw client;
      await sleep(wait * (0.5 + Math.random() / 2));
    }
  }
}

function toDatabaseErrorOf(error: unknown): DatabaseError {
  return toDatabaseError(error, false);
}

function fail(error: unknown): never {
  throw toDatabaseErrorOf(error);
}

function isUnavailable(error: unknown): boolean {
  return error instanceof DatabaseError && error.kind === "unavailable";
}
