import { Code, ParlorError, Reason } from "@parlor/contract";
import type { Log } from "../ports/log.ts";
import { asParlorError, isFault } from "../services/faults.ts";

const statuses: { readonly [C in Code]: number } = {
  [Code.OK]: 200,
  [Code.CANCELLED]: 499,
  [Code.UNKNOWN]: 500,
  [Code.INVALID_ARGUMENT]: 400,
  [Code.DEADLINE_EXCEEDED]: 504,
  [Code.NOT_FOUND]: 404,
  [Code.ALREADY_EXISTS]: 409,
  [Code.PERMISSION_DENIED]: 403,
  [Code.RESOURCE_EXHAUSTED]: 429,
  [Code.FAILED_PRECONDITION]: 409,
  [Code.ABORTED]: 409,
  [Code.OUT_OF_RANGE]: 400,
  [Code.UNIMPLEMENTED]: 404,
  [Code.INTERNAL]: 500,
  [Code.UNAVAILABLE]: 503,
  [Code.DATA_LOSS]: 500,
  [Code.UNAUTHENTICATED]: 401,
};

/** The HTTP status of an error: its code's, but for the two reasons that have a status of their own. */
export function httpStatusOf(error: ParlorError): number {
  if (error.reason === Reason.TOO_LARGE) return 413;
  if (error.reason === Reason.UNSUPPORTED_MEDIA_TYPE) return 415;
  return statuses[error.code] ?? 500;
}

/** What is answered for something thrown. Faults go to the log, with what caused them and the id that the client is told. */
export function refusalOf(thrown: unknown, requestId: string, log: Log): ParlorError {
  const error = asParlorError(thrown);
  if (isFault(error)) log.error({ requestId, err: error.cause ?? error }, "A call failed.");
  return error;
}

export function malformed(message: string, cause?: unknown): ParlorError {
  return new ParlorError(Code.INVALID_ARGUMENT, Reason.MALFORMED, message, cause === undefined ? {} : { cause });
}

export function tooLarge(what: string, maxBytes: number): ParlorError {
  return new ParlorError(Code.RESOURCE_EXHAUSTED, Reason.TOO_LARGE, `The ${what} is larger than ${maxBytes} bytes.`);
}

export function noSuchMethod(message: string): ParlorError {
  return new ParlorError(Code.UNIMPLEMENTED, Reason.NO_SUCH_METHOD, message);
}

export function timedOut(): ParlorError {
  return new ParlorError(Code.DEADLINE_EXCEEDED, Reason.TIMEOUT, "The request did not arrive in time.");
}

export function shuttingDown(): ParlorError {
  return new ParlorError(Code.UNAVAILABLE, Reason.SHUTTING_DOWN, "The server is shutting down; connect again.");
}
