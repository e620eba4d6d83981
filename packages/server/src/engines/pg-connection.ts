import type { Client, QueryConfig, QueryResult } from "pg";
import { type Connection, DatabaseError, type SqlResult, type SqlValue } from "../ports/database.ts";
import { endsSession, isStalePlan, isStandby, toDatabaseError } from "./pg-errors.ts";
import type { PreparedStatements } from "./pg-statements.ts";
import { encodeParameter } from "./pg-values.ts";

/** What a Connection is made of. */
export interface Session {
  readonly client: Pick<Client, "query" | "getTransactionStatus">;
  readonly statements: PreparedStatements;
  /** Takes the client back; `broken` if it must not be used again. */
  readonly onRelease: (broken: boolean) => void;
  /** How long to wait for an answer before the connection counts as lost, in milliseconds; undefined: for ever. */
  readonly answerTimeoutMs?: number | undefined;
}

/** Words that begin a statement that changes nothing, so that it may be run again when its answer was lost. */
const harmless = new Set(["select", "show", "begin", "start", "rollback", "set"]);

/** A session of PostgreSQL's protocol, whichever engine is behind it. */
export class PgConnection implements Connection {
  readonly #session: Session;
  #pending = 0;
  #inTransaction = false;
  #guarded = true;
  #broken = false;
  #released = false;

  constructor(session: Session) {
    this.#session = session;
  }

  async query<Row>(sql: string, params: readonly SqlValue[] = []): Promise<SqlResult<Row>> {
    if (this.#released) throw new DatabaseError("fault", "the connection was released");
    const config = this.#statement(sql, params);
    const word = firstWord(sql);
    const inDoubt = this.#follow(word);
    this.#pending++;
    try {
      return answer(word, await this.#session.client.query(config));
    } catch (error) {
      throw this.#failure(error, sql, inDoubt);
    } finally {
      this.#pending--;
    }
  }

  /** Whether the session was lost. */
  get broken(): boolean {
    return this.#broken;
  }

  async release(): Promise<void> {
    if (this.#released) return;
    this.#released = true;
    if (!this.#broken && (this.#pending > 0 || this.#session.client.getTransactionStatus() !== "I")) await this.#rollback();
    this.#session.onRelease(this.#broken);
  }

  #statement(sql: string, params: readonly SqlValue[]): QueryConfig & { query_timeout?: number } {
    // Who sets a time-out of their own (migrations) is not cut off by ours.
    if (sql.includes("statement_timeout")) this.#guarded = false;
    const { answerTimeoutMs, statements } = this.#session;
    const name = params.length === 0 ? undefined : statements.nameOf(sql);
    return {
      text: sql,
      values: encodeAll(params),
      ...(name === undefined ? {} : { name }),
      ...(this.#guarded && answerTimeoutMs !== undefined ? { query_timeout: answerTimeoutMs } : {}),
    };
  }

  /** Follows the transaction, and says whether the statement's outcome would be in doubt if its answer were lost. */
  #follow(word: string): boolean {
    const alone = !this.#inTransaction;
    if (word === "begin" || word === "start") this.#inTransaction = true;
    if (word === "commit" || word === "end" || word === "rollback") this.#inTransaction = false;
    return word === "commit" || word === "end" || (alone && !harmless.has(word));
  }

  #failure(error: unknown, sql: string, inDoubt: boolean): DatabaseError {
    if (endsSession(error) || isStandby(error)) this.#broken = true;
    if (isStalePlan(error)) this.#session.statements.forget(sql);
    return toDatabaseError(error, inDoubt);
  }

  async #rollback(): Promise<void> {
    try {
      await this.#session.client.query("rollback");
    } catch {
      this.#broken = true;
    }
  }
}

function encodeAll(params: readonly SqlValue[]): (string | Buffer | null)[] {
  try {
    return params.map(encodeParameter);
  } catch (error) {
    throw new DatabaseError("fault", (error as Error).message, { cause: error });
  }
}

function firstWord(sql: string): string {
  return /^\s*([a-z]+)/i.exec(sql)?.[1]?.toLowerCase() ?? "";
}

/** Several statements without parameters give one result each; the last one counts. */
function answer<Row>(word: string, results: QueryResult | QueryResult[]): SqlResult<Row> {
  const result = Array.isArray(results) ? results.at(-1) : results;
  // A failed transaction answers COMMIT with ROLLBACK, and no error.
  if (word === "commit" && result?.command === "ROLLBACK") {
    throw new DatabaseError("fault", "a statement of the transaction had failed: it was rolled back");
  }
  const affected = result === undefined || result.command === "SELECT" ? 0 : (result.rowCount ?? 0);
  return { rows: (result?.rows ?? []) as Row[], affected };
}

/** Runs `work` in a transaction on the connection, and releases it. */
export async function inTransaction<T>(connection: Connection, work: (connection: Connection) => Promise<T>): Promise<T> {
  try {
    await connection.query("begin");
    const result = await work(connection);
    await connection.query("commit");
    return result;
  } finally {
    await connection.release();
  }
}
