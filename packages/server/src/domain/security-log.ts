import type { Call, Protocol } from "./call.ts";

/** What an operator must be able to find afterwards. */
export type SecurityEvent =
  | "signed_up"
  | "signed_in"
  | "sign_in_failed"
  | "sign_in_locked"
  | "session_ended"
  | "refresh_token_reused"
  | "password_changed"
  | "api_token_created"
  | "api_token_revoked"
  | "access_denied"
  | "role_changed"
  | "deactivated"
  | "reactivated"
  | "signing_key_rotated";

/** It never holds what somebody typed: a name that does not exist may be a password in the wrong field. */
export interface SecurityRecord {
  readonly event: SecurityEvent;
  /** Who did it, as far as known. */
  readonly userId?: string;
  /** To whom, when to somebody else. */
  readonly subjectId?: string;
  /** The session or API token that it is about. */
  readonly sessionId?: string;
  /** More about it: the new role, the method that was denied. */
  readonly detail?: string;
  readonly address: string;
  readonly protocol: Protocol;
  readonly requestId: string;
}

export interface SecurityLog {
  /** Never throws and never waits. */
  record(entry: SecurityRecord): void;
}

/** Where a call came from, as a record says it. */
export function originOf({ address, protocol, requestId }: Call): Pick<SecurityRecord, "address" | "protocol" | "requestId"> {
  return { address, protocol, requestId };
}
