// Kysely over the Database port, so that the store's statements are the same on every engine.
import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type QueryResult,
  sql,
  type TransactionSettings,
} from "kysely";
import { type Connection, type Database, isOutage, type SqlResult, type SqlValue } from "../ports/database.ts";
import type { Schema } from "./schema.ts";

/**
 * The store's query builder over a database. Errors are the port's DatabaseError. A transaction has one session; statements
 * outside have none of their own, so there is no `connection()`, only `transaction()`.
 */
export function storeOver(database: Database): Kysely<Schema> {
  return storeWith(new StoreDriver(database));
}

/** The store's query builder within one session and whatever transaction is open there; it is not for `transaction()`. */
export function storeOn(session: Pick<Connection, "query">): Kysely<Schema> {
  const connect = () => Promise.reject(new Error("a transaction is open already"));
  return storeWith(new StoreDriver({ query: (sql, params) => session.query(sql, params), connect }));
}

/** How often a reading transaction is tried whose session is lost, as all are when the server is restarted. */
const readingAttempts = 3;

/**
 * For reading by a statement whose best plan depends on its values: the engines plan each statement once for all of them. A word that
 * every room has was looked for in 300 ms among 100,000 rooms; planned for that word, in 0.1 ms. `work` is done again when its session
 * was lost.
 */
export async function plannedForValues<T>(store: Kysely<Schema>, work: (tx: Kysely<Schema>) => Promise<T>): Promise<T> {
  const reading = store.transaction().setAccessMode("read only");
  for (let attempt = 1; ; attempt++) {
    try {
      return await reading.execute(async (tx) => {
        await sql`set local plan_cache_mode = force_custom_plan`.execute(tx);
        return work(tx);
      });
    } catch (error) {
      if (!isOutage(error) || attempt === readingAttempts) throw error;
    }
  }
}

function storeWith(driver: StoreDriver): Kysely<Schema> {
  const dialect: Dialect = {
    createAdapter: () => new PostgresAdapter(),
    createDriver: () => driver,
    createIntrospector: (db) => new PostgresIntrospector(db),
    createQueryCompiler: () => new PostgresQueryCompiler(),
  };
  return new Kysely<Schema>({ dialect });
}

/** What the driver needs of a database. */
type Source = Pick<Database, "query" | "connect">;

class StoreDriver implements Driver {
  readonly #database: Source;

  constructor(database: Source) {
    this.#database = database;
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<StoreConnection> {
    return new StoreConnection(this.#database);
  }

  async beginTransaction(connection: StoreConnection, settings: TransactionSettings): Promise<void> {
    const isolation = settings.isolationLevel === undefined ? "" : ` isolation level ${settings.isolationLevel}`;
    const access = settings.accessMode === undefined ? "" : ` ${settings.accessMode}`;
    await connection.begin(`begin${isolation}${access}`);
  }

  commitTransaction(connection: StoreConnection): Promise<void> {
    return connection.commit();
  }

  /** The release rolls back whatever is open. */
  async rollbackTransaction(): Promise<void> {}

  releaseConnection(connection: StoreConnection): Promise<void> {
    return connection.release();
  }

  /** The database belongs to whoever opened it. */
  async destroy(): Promise<void> {}
}

/** Takes a session only when a transaction begins: a statement by itself needs none, and so holds up nobody. */
class StoreConnection implements DatabaseConnection {
  readonly #database: Source;
  #session: Connection | undefined;
  #used = false;

  constructor(database: Source) {
    this.#database = database;
  }

  async begin(statement: string): Promise<void> {
    this.#session = await this.#database.connect();
    await this.#session.query(statement);
  }

  async commit(): Promise<void> {
    await this.#session?.query("commit");
  }

  async release(): Promise<void> {
    await this.#session?.release();
    this.#session = undefined;
    this.#used = false;
  }

  async executeQuery<Row>(query: CompiledQuery): Promise<QueryResult<Row>> {
    // Kysely's compiler gives the parameters as they came; the store's types allow only what the port takes.
    const params = query.parameters as readonly SqlValue[];
    const { rows, affected } = await this.#run<Row>(query.sql, params);
    return { rows, numAffectedRows: BigInt(affected) };
  }

  // biome-ignore lint/correctness/useYield: the interface asks for it, and no statement of the store streams.
  async *streamQuery<Row>(): AsyncIterableIterator<QueryResult<Row>> {
    throw new Error("the store does not stream: read in pages");
  }

  #run<Row>(sql: string, params: readonly SqlValue[]): Promise<SqlResult<Row>> {
    if (this.#session !== undefined) return this.#session.query<Row>(sql, params);
    if (this.#used) throw new Error("connection() has no session of its own: use transaction()");
    this.#used = true;
    return this.#database.query<Row>(sql, params);
  }
}
