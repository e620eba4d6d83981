import { Code, type Goodbye, Goodbye_Reason, ParlorError, Reason } from "@parlor/contract";
import type { ConnectionEnd } from "./connection.ts";

/** What a stream does after a connection ended. */
export interface NextStep {
  /** "retry" connects again, "renew" exchanges the token first, "stop" leaves it to the application. */
  readonly kind: "retry" | "renew" | "stop";
  /** Why the connection ended. */
  readonly error: ParlorError;
  readonly goodbye?: Goodbye_Reason;
  /** Milliseconds that the server asked to wait; left out when it did not. */
  readonly afterMs?: number;
}

/** What each reason means for a client, where the goodbye brings no error of its own. */
const meanings: Readonly<Record<Goodbye_Reason, readonly [Code, Reason, string]>> = {
  [Goodbye_Reason.REASON_UNSPECIFIED]: [Code.UNAVAILABLE, Reason.REASON_UNSPECIFIED, "The server ended the stream."],
  [Goodbye_Reason.SHUTDOWN]: [Code.UNAVAILABLE, Reason.SHUTTING_DOWN, "The server is shutting down."],
  [Goodbye_Reason.SLOW_CONSUMER]: [Code.RESOURCE_EXHAUSTED, Reason.OVERLOADED, "The stream was read too slowly."],
  [Goodbye_Reason.HEARTBEAT_TIMEOUT]: [Code.DEADLINE_EXCEEDED, Reason.TIMEOUT, "The server heard nothing of this client for too long."],
  [Goodbye_Reason.HELLO_TIMEOUT]: [Code.DEADLINE_EXCEEDED, Reason.TIMEOUT, "The hello came too late."],
  [Goodbye_Reason.UNAUTHENTICATED]: [Code.UNAUTHENTICATED, Reason.TOKEN_INVALID, "The token is missing or not valid."],
  [Goodbye_Reason.TOKEN_EXPIRED]: [Code.UNAUTHENTICATED, Reason.TOKEN_EXPIRED, "The token has expired."],
  [Goodbye_Reason.SESSION_REVOKED]: [Code.UNAUTHENTICATED, Reason.SESSION_REVOKED, "The session was ended."],
  [Goodbye_Reason.DEACTIVATED]: [Code.UNAUTHENTICATED, Reason.SESSION_REVOKED, "The account was closed."],
  [Goodbye_Reason.BAD_FRAME]: [Code.INVALID_ARGUMENT, Reason.MALFORMED, "The server could not read a frame of this client."],
  [Goodbye_Reason.FRAME_TOO_LARGE]: [Code.RESOURCE_EXHAUSTED, Reason.TOO_LARGE, "A frame of this client was too large."],
  [Goodbye_Reason.TOO_MANY_CONNECTIONS]: [Code.RESOURCE_EXHAUSTED, Reason.TOO_MANY_CONNECTIONS, "The user has too many connections."],
  [Goodbye_Reason.RATE_LIMITED]: [Code.RESOURCE_EXHAUSTED, Reason.RATE_LIMITED, "This client sends more than it may."],
  [Goodbye_Reason.INTERNAL]: [Code.INTERNAL, Reason.FAULT, "The server has a fault."],
};

/** What to do after a connection ended. Without a goodbye the network is to blame, and trying again is right. */
export function nextStep(end: ConnectionEnd): NextStep {
  if ("error" in end) return { kind: "retry", error: end.error };
  const { goodbye } = end;
  const error = errorOf(goodbye);
  const expired = goodbye.reason === Goodbye_Reason.TOKEN_EXPIRED || error.reason === Reason.TOKEN_EXPIRED;
  const kind = expired ? "renew" : goodbye.reconnect ? "retry" : "stop";
  const step = { kind, error, goodbye: goodbye.reason } as const;
  return goodbye.reconnectAfterMs > 0 ? { ...step, afterMs: goodbye.reconnectAfterMs } : step;
}

function errorOf({ reason, error }: Goodbye): ParlorError {
  if (error !== undefined && error.code !== Code.OK) return ParlorError.fromWire(error);
  const [code, why, message] = meanings[reason] ?? meanings[Goodbye_Reason.REASON_UNSPECIFIED];
  return new ParlorError(code, why, message);
}
