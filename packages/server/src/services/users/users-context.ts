import type { Kysely } from "kysely";
import type { PageTokens } from "../../domain/page-tokens.ts";
import type { SecurityLog } from "../../domain/security-log.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Schema } from "../../store/schema.ts";
import type { Identities } from "../auth/identities.ts";

/** What the methods of UsersService work with. */
export interface UsersContext {
  readonly store: Kysely<Schema>;
  readonly clock: Clock;
  readonly identities: Identities;
  readonly pageTokens: PageTokens;
  readonly securityLog: SecurityLog;
}
