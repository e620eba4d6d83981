// The errors that begin on this side of the network.
import { Code, ParlorError, Reason } from "@parlor/contract";

/** CANCELLED: the client was closed before the answer came; it is not known whether the call took effect. */
export function clientClosed(): ParlorError {
  return new ParlorError(Code.CANCELLED, Reason.REASON_UNSPECIFIED, "The client was closed.");
}

/** CANCELLED: there is no stream because `connect` was not called, or `close` was. */
export function notConnected(): ParlorError {
  return new ParlorError(Code.CANCELLED, Reason.REASON_UNSPECIFIED, "The stream is closed; call connect() first.");
}

/** UNAVAILABLE: the network failed, or what answered is not a Parlor server. */
export function unavailable(message: string, cause?: unknown): ParlorError {
  return new ParlorError(Code.UNAVAILABLE, Reason.REASON_UNSPECIFIED, message, { cause });
}

/** DEADLINE_EXCEEDED: no answer in time; it is not known whether the call took effect. */
export function timedOut(cause?: unknown): ParlorError {
  return new ParlorError(Code.DEADLINE_EXCEEDED, Reason.TIMEOUT, "The answer did not come in time.", { cause });
}

/** RESOURCE_EXHAUSTED: a buffer of this client is full. */
export function bufferFull(message: string): ParlorError {
  return new ParlorError(Code.RESOURCE_EXHAUSTED, Reason.OVERLOADED, message);
}

/** INTERNAL: the server broke the contract. */
export function brokenContract(message: string, cause?: unknown): ParlorError {
  return new ParlorError(Code.INTERNAL, Reason.MALFORMED, message, { cause });
}

/** DATA_LOSS: events of a room will not come, and the reader gave no `onGap` that could be told. */
export function eventsMissing(roomId: string, from: number, to: number): ParlorError {
  return new ParlorError(
    Code.DATA_LOSS,
    Reason.REASON_UNSPECIFIED,
    `Events ${from} to ${to} of room ${roomId} will not come over the stream; pass onGap or set fillGaps.`,
  );
}

/** Why a signal was raised, as an error: DEADLINE_EXCEEDED for `AbortSignal.timeout`, CANCELLED for the rest. */
export function aborted(signal: AbortSignal): ParlorError {
  const cause: unknown = signal.reason;
  if (cause instanceof ParlorError) return cause;
  if (cause instanceof DOMException && cause.name === "TimeoutError") return timedOut(cause);
  return new ParlorError(Code.CANCELLED, Reason.REASON_UNSPECIFIED, "The call was aborted.", { cause });
}

/** Anything thrown, as the one error class. */
export function toParlorError(thrown: unknown): ParlorError {
  if (thrown instanceof ParlorError) return thrown;
  return new ParlorError(Code.UNKNOWN, Reason.REASON_UNSPECIFIED, thrown instanceof Error ? thrown.message : String(thrown), {
    cause: thrown,
  });
}
