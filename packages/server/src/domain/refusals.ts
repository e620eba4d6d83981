import { Code, ParlorError, Reason } from "@parlor/contract";

/** The answer for what does not exist and for what the caller may not know of: the same words for both. */
export function notExisting(): ParlorError {
  return new ParlorError(Code.NOT_FOUND, Reason.NOT_EXISTING, "There is nothing here that you may see.");
}

export function denied(reason: Reason, message: string): ParlorError {
  return new ParlorError(Code.PERMISSION_DENIED, reason, message);
}

export function precondition(reason: Reason, message: string): ParlorError {
  return new ParlorError(Code.FAILED_PRECONDITION, reason, message);
}

export function exhausted(reason: Reason, message: string, retryAfterMs: number): ParlorError {
  return new ParlorError(Code.RESOURCE_EXHAUSTED, reason, message, { retryAfterMs });
}

export function unauthenticated(reason: Reason, message: string): ParlorError {
  return new ParlorError(Code.UNAUTHENTICATED, reason, message);
}
