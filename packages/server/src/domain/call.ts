import { type ApiToken_Scope, Code, ParlorError, Reason, type User_Role } from "@parlor/contract";

/** Who calls: taken from a verified token, and from nothing else. */
export interface Caller {
  readonly userId: string;
  readonly username: string;
  readonly role: User_Role;
  /** The session, or the API token's id. */
  readonly sessionId: string;
  /** The scopes of an API token; left out for a session, which may do all that its owner may. */
  readonly scopes?: ReadonlySet<ApiToken_Scope>;
  /** When the token expires, in milliseconds since 1970; left out when it does not. */
  readonly expiresAt?: number;
}

export type Protocol = "grpc" | "rest" | "websocket" | "mqtt" | "internal";

/** What a service knows of a call beside its request. */
export interface Call {
  readonly requestId: string;
  readonly protocol: Protocol;
  /** The network address of the client. */
  readonly address: string;
  /** Where in a trace the call is made (W3C Trace Context): what the client sent, and inside of a service where that is itself. */
  readonly traceparent?: string;
  /** Left out when nobody is signed in, which only methods for ANYONE see. */
  readonly caller?: Caller;
  /** When the answer is of no use any more, in milliseconds since 1970; left out when the client did not say. */
  readonly deadline?: number;
  /** Another service passed the call on, which has counted it against its limits. */
  readonly forwarded?: true;
}

/** The caller of a method that is not for ANYONE. */
export function callerOf(call: Call): Caller {
  if (call.caller) return call.caller;
  throw new ParlorError(Code.UNAUTHENTICATED, Reason.TOKEN_MISSING, "Sign in first: no token was given.");
}
