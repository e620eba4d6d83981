import { Code, ParlorError, Reason } from "@parlor/contract";
import { DatabaseError } from "../ports/database.ts";

/**
 * Whatever was thrown, as an error that may be shown. Refusals stay as they are; of anything else only its kind is told, and
 * the thrown thing itself is kept as the cause, for the log.
 */
export function asParlorError(thrown: unknown): ParlorError {
  if (thrown instanceof ParlorError) return thrown;
  if (thrown instanceof DatabaseError) return ofDatabase(thrown);
  return new ParlorError(Code.INTERNAL, Reason.FAULT, "Something went wrong in the server.", { cause: thrown });
}

/** Whether an error is the server's fault, so that somebody should read of it in the log. */
export function isFault(error: ParlorError): boolean {
  return error.code === Code.INTERNAL || error.code === Code.UNKNOWN || error.code === Code.DATA_LOSS;
}

function ofDatabase(cause: DatabaseError): ParlorError {
  switch (cause.kind) {
    case "unavailable":
      return new ParlorError(Code.UNAVAILABLE, Reason.STORE_UNAVAILABLE, "The database does not answer; try again.", {
        retryAfterMs: 1000,
        cause,
      });
    case "unknown_outcome":
      return new ParlorError(
        Code.UNAVAILABLE,
        Reason.STORE_UNAVAILABLE,
        "The database was lost midway; it may or may not have taken effect.",
        { retryAfterMs: 1000, cause },
      );
    case "retry":
      return new ParlorError(Code.RESOURCE_EXHAUSTED, Reason.OVERLOADED, "Others changed the same thing at the same time; try again.", {
        retryAfterMs: 100,
        cause,
      });
    default:
      return new ParlorError(Code.INTERNAL, Reason.FAULT, "Something went wrong in the server.", { cause });
  }
}
