import type { Kysely } from "kysely";
import type { PageTokens } from "../../domain/page-tokens.ts";
import type { SecurityLog } from "../../domain/security-log.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Schema } from "../../store/schema.ts";
import type { Credentials } from "./credentials.ts";
import type { Identities } from "./identities.ts";
import type { SessionTokens } from "./session-tokens.ts";

/** What the methods of AuthService work with. */
export interface AuthContext {
  readonly store: Kysely<Schema>;
  readonly clock: Clock;
  readonly credentials: Credentials;
  readonly tokens: SessionTokens;
  readonly identities: Identities;
  readonly pageTokens: PageTokens;
  readonly securityLog: SecurityLog;
}
