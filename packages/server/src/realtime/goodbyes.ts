import { create } from "@bufbuild/protobuf";
import { Code, type Goodbye, Goodbye_Reason, GoodbyeSchema, type ParlorError, Reason } from "@parlor/contract";

/** The ends after which connecting again can help without a person's doing. */
const reconnectable: ReadonlySet<Goodbye_Reason> = new Set([
  Goodbye_Reason.SHUTDOWN,
  Goodbye_Reason.SLOW_CONSUMER,
  Goodbye_Reason.HEARTBEAT_TIMEOUT,
  Goodbye_Reason.HELLO_TIMEOUT,
  Goodbye_Reason.TOKEN_EXPIRED,
  Goodbye_Reason.TOO_MANY_CONNECTIONS,
  Goodbye_Reason.RATE_LIMITED,
  Goodbye_Reason.INTERNAL,
]);

export function goodbye(reason: Goodbye_Reason, details: { readonly error?: ParlorError; readonly afterMs?: number } = {}): Goodbye {
  return create(GoodbyeSchema, {
    reason,
    reconnect: reconnectable.has(reason),
    reconnectAfterMs: details.afterMs ?? 0,
    ...(details.error && { error: details.error.toWire() }),
  });
}

/** The end of a stream whose hello was refused. */
export function reasonOf(error: ParlorError): Goodbye_Reason {
  if (error.reason === Reason.TOKEN_EXPIRED) return Goodbye_Reason.TOKEN_EXPIRED;
  if (error.reason === Reason.SESSION_REVOKED) return Goodbye_Reason.SESSION_REVOKED;
  if (error.reason === Reason.TOO_MANY_CONNECTIONS) return Goodbye_Reason.TOO_MANY_CONNECTIONS;
  switch (error.code) {
    case Code.UNAUTHENTICATED:
    case Code.PERMISSION_DENIED:
      return Goodbye_Reason.UNAUTHENTICATED;
    case Code.INTERNAL:
    case Code.UNAVAILABLE:
      return Goodbye_Reason.INTERNAL;
    case Code.RESOURCE_EXHAUSTED:
      return Goodbye_Reason.RATE_LIMITED;
    default:
      return Goodbye_Reason.BAD_FRAME;
  }
}
