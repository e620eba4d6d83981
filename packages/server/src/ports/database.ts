/** A value that a statement takes: what PostgreSQL's text and binary formats of the used types need. */
export type SqlValue = string | number | bigint | boolean | Date | Uint8Array | null | readonly SqlValue[];

export interface SqlResult<Row> {
  readonly rows: Row[];
  /** Rows inserted, updated or deleted. */
  readonly affected: number;
}

/**
 * One session with the database. Statements on it run one after the other, in the order of the calls, so that a transaction
 * may be opened with `begin` and ended with `commit` or `rollback`.
 *
 * Columns of type bigint (int8) come back as `number` (the store keeps them below 2^53), timestamptz as `Date`, bytea as
 * `Uint8Array`, uuid and text as `string`, jsonb as what it holds.
 */
export interface Connection {
  /**
   * Runs one statement with the parameters $1, $2 ...
   * @throws DatabaseError
   */
  query<Row>(sql: string, params?: readonly SqlValue[]): Promise<SqlResult<Row>>;
  /** Gives the connection back. An open transaction is rolled back, a broken connection thrown away. */
  release(): Promise<void>;
}

/**
 * A PostgreSQL database. Every engine passes the suite in `test/suites/database.ts`. Guarantees:
 * - a statement or transaction that was answered without an error is durable: it survives the death of this process, and
 *   the loss of power where the engine's storage does;
 * - `read committed` isolation, row locks and constraints as in PostgreSQL;
 * - a failed call is a DatabaseError that says whether the same call may be tried again.
 */
export interface Database {
  /** Runs one statement by itself. @throws DatabaseError */
  query<Row>(sql: string, params?: readonly SqlValue[]): Promise<SqlResult<Row>>;
  /** Runs `work` inside one transaction: committed when it returns, rolled back when it throws. @throws DatabaseError */
  transaction<T>(work: (connection: Connection) => Promise<T>): Promise<T>;
  /** A session of one's own; waits for a free one. */
  connect(): Promise<Connection>;
  /** Ends all sessions after what they are doing, and releases every resource. */
  close(): Promise<void>;
}

/** What an engine tells that can stop for good while the process lives. */
export interface Perishable {
  /** Resolves when every further call will fail, with why; never rejects. */
  readonly lost: Promise<DatabaseError>;
}

/** What an engine with several sessions tells of them. */
export interface Pooled {
  readonly sessions: {
    readonly open: number;
    /** Those that are doing something. */
    readonly used: number;
    /** Calls that wait for one. */
    readonly waiting: number;
  };
}

/**
 * What went wrong, as far as a caller can act on it:
 * - `unique`, `foreign_key`, `check`: a constraint refused the row; `constraint` names it, by the whole table where partition `table_pN` has refused;
 * - `retry`: deadlock, serialization failure or lock time-out; the transaction was rolled back and may be tried again;
 * - `unavailable`: the database did not take the call, or the connection was lost before COMMIT was sent; may be tried again;
 * - `unknown_outcome`: the connection was lost while COMMIT was under way; it may or may not have taken effect;
 * - `fault`: anything else, such as a statement that is wrong.
 */
export type DatabaseErrorKind = "unique" | "foreign_key" | "check" | "retry" | "unavailable" | "unknown_outcome" | "fault";

export class DatabaseError extends Error {
  override readonly name = "DatabaseError";
  readonly kind: DatabaseErrorKind;
  /** The constraint that refused, or "". */
  readonly constraint: string;

  constructor(kind: DatabaseErrorKind, message: string, options: { constraint?: string; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.kind = kind;
    this.constraint = options.constraint ?? "";
  }
}

/** Whether the database could not be asked, or not answer: the statement is not at fault. */
export function isOutage(error: unknown): error is DatabaseError {
  return error instanceof DatabaseError && (error.kind === "unavailable" || error.kind === "unknown_outcome");
}
