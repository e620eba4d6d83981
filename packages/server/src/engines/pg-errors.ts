// What PostgreSQL and its driver report, as the kinds of ports/database.ts.
import { DatabaseError, type DatabaseErrorKind } from "../ports/database.ts";

/** An error that the server sent; errors of the connection have no SQLSTATE. */
interface ServerError extends Error {
  readonly code: string;
  readonly severity: string;
  readonly constraint?: string;
}

const kindByState = new Map<string, DatabaseErrorKind>([
  ["23505", "unique"],
  ["23503", "foreign_key"],
  ["23514", "check"],
  ["40001", "retry"], // serialization_failure
  ["40P01", "retry"], // deadlock_detected
  ["55P03", "retry"], // lock_not_available
  ["57014", "unavailable"], // query_canceled: the statement's time-out
  ["25P03", "unavailable"], // idle_in_transaction_session_timeout
  ["25006", "unavailable"], // read_only_sql_transaction: a standby, during a failover
]);

const kindByClass = new Map<string, DatabaseErrorKind>([
  ["08", "unavailable"], // connection exception
  ["53", "unavailable"], // insufficient resources
  ["57", "unavailable"], // operator intervention: shut down, starting up
]);

function isServerError(error: unknown): error is ServerError {
  return error instanceof Error && "severity" in error && "code" in error && typeof error.code === "string";
}

/**
 * A prepared statement whose table has changed since, or that the server forgot. Prepared anew, it works.
 * @see https://www.postgresql.org/docs/current/sql-prepare.html
 */
export function isStalePlan(error: unknown): boolean {
  if (!isServerError(error)) return false;
  return error.code === "26000" || (error.code === "0A000" && error.message.includes("cached plan"));
}

/** Whether the session is gone with this error. */
export function endsSession(error: unknown): boolean {
  return !isServerError(error) || error.severity === "FATAL" || error.severity === "PANIC";
}

/** A server that may not write: after a failover, another one may be behind the same address. */
export function isStandby(error: unknown): boolean {
  return isServerError(error) && error.code === "25006";
}

/** Whether the driver knew that the session is lost, and sent nothing. It tells this by its words alone. */
function wasNeverSent(error: unknown): boolean {
  return error instanceof Error && error.message.endsWith("is not queryable");
}

/**
 * @param inDoubt whether the statement may have taken effect although its answer was lost.
 */
export function toDatabaseError(error: unknown, inDoubt: boolean): DatabaseError {
  if (error instanceof DatabaseError) return error;
  const kind = kindOf(error, inDoubt);
  const options = { cause: error, constraint: isServerError(error) ? constraintOf(error) : "" };
  return new DatabaseError(kind, messageOf(error), options);
}

/** The index of a partition refuses in its own name, such as messages_p3_id for messages_id. */
function constraintOf({ constraint = "" }: ServerError): string {
  return constraint.replace(/_p\d+_/, "_");
}

function kindOf(error: unknown, inDoubt: boolean): DatabaseErrorKind {
  if (endsSession(error) && inDoubt && !wasNeverSent(error)) return "unknown_outcome";
  if (!isServerError(error)) return "unavailable";
  if (isStalePlan(error)) return "retry";
  return kindByState.get(error.code) ?? kindByClass.get(error.code.slice(0, 2)) ?? "fault";
}

function messageOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(messageOf).join("; ");
  return error instanceof Error ? error.message : String(error);
}
