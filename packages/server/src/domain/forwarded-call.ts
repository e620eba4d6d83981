// How the services of Parlor tell each other whose call it is.
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { ForwardedCallSchema, type VerifyTokenResponse_Claims, VerifyTokenResponse_ClaimsSchema } from "@parlor/contract";
import type { Call, Caller, Protocol } from "./call.ts";

/** Metadata that only services send. Whoever sends either and is not a service is refused. */
export const serviceMetadata = {
  /** The secret that services share, unless they prove by certificates who they are. */
  token: "parlor-service-token",
  /** A ForwardedCall. */
  call: "parlor-call-bin",
} as const;

const protocols: ReadonlySet<string> = new Set<Protocol>(["grpc", "rest", "websocket", "mqtt", "internal"]);

/** What goes into the metadata of a call that is passed on. */
export function forwardedBytes({ protocol, address, caller }: Pick<Call, "protocol" | "address" | "caller">): Buffer {
  const message = create(ForwardedCallSchema, { protocol, address, ...(caller && { caller: claimsOf(caller) }) });
  return Buffer.from(toBinary(ForwardedCallSchema, message));
}

/** What that metadata says. @throws Error when it cannot be read */
export function readForwarded(bytes: Uint8Array): Omit<Call, "requestId"> {
  const { protocol, address, caller } = fromBinary(ForwardedCallSchema, bytes);
  if (!protocols.has(protocol)) throw new Error("This version knows no such protocol.");
  return { protocol: protocol as Protocol, address, forwarded: true, ...(caller && { caller: callerOfClaims(caller) }) };
}

export function claimsOf({ userId, username, role, sessionId, scopes, expiresAt }: Caller): VerifyTokenResponse_Claims {
  const claims = { userId, username, role, sessionId, scopes: [...(scopes ?? [])] };
  return create(VerifyTokenResponse_ClaimsSchema, expiresAt === undefined ? claims : { ...claims, expiresAt: timestampFromMs(expiresAt) });
}

/** An API token has at least one scope, so that none means a session. */
export function callerOfClaims({ userId, username, role, sessionId, scopes, expiresAt }: VerifyTokenResponse_Claims): Caller {
  return {
    userId,
    username,
    role,
    sessionId,
    ...(scopes.length > 0 && { scopes: new Set(scopes) }),
    ...(expiresAt && { expiresAt: timestampMs(expiresAt) }),
  };
}
