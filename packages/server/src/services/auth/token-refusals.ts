import { type ParlorError, Reason } from "@parlor/contract";
import { unauthenticated } from "../../domain/refusals.ts";

export function tokenInvalid(): ParlorError {
  return unauthenticated(Reason.TOKEN_INVALID, "The token is not one of this server's.");
}

export function tokenExpired(): ParlorError {
  return unauthenticated(Reason.TOKEN_EXPIRED, "The token has expired.");
}

export function sessionRevoked(): ParlorError {
  return unauthenticated(Reason.SESSION_REVOKED, "The session was ended. Sign in again.");
}
