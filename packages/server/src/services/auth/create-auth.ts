import type { AuthService, ServiceImpl } from "@parlor/contract";
import type { Kysely } from "kysely";
import type { Call } from "../../domain/call.ts";
import { PageTokens } from "../../domain/page-tokens.ts";
import type { SecurityLog } from "../../domain/security-log.ts";
import type { Bus } from "../../ports/bus.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Schema } from "../../store/schema.ts";
import { type AccessTokenConfig, AccessTokens } from "./access-tokens.ts";
import { authService } from "./auth-service.ts";
import { Credentials } from "./credentials.ts";
import { HashingQueue } from "./hashing-queue.ts";
import { Identities } from "./identities.ts";
import { type FailureLimits, LogInFailures } from "./log-in-failures.ts";
import { Passwords } from "./passwords.ts";
import { type SessionTimes, SessionTokens } from "./session-tokens.ts";
import { SigningKeys } from "./signing-keys.ts";

export interface AuthConfig extends AccessTokenConfig, SessionTimes, FailureLimits {
  /** Whether people may make accounts for themselves. */
  readonly signUp: boolean;
  /** The logarithm of the work of a password hash. */
  readonly bcryptCost: number;
  /** Password hashes computed at once. */
  readonly hashConcurrency: number;
  /** Password hashes that may wait. */
  readonly hashQueue: number;
  /** Private keys as PEM or JWK, the one that signs first; those of the Store when left out. */
  readonly signingKey?: string | undefined;
}

export interface AuthOptions {
  readonly store: Kysely<Schema>;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly config: AuthConfig;
  readonly securityLog: SecurityLog;
  /** How often the signing keys are read anew (milliseconds); 5,000 unless given. */
  readonly readKeysEveryMs?: number | undefined;
}

/** Everything about who somebody is. */
export interface Auth {
  readonly authService: ServiceImpl<typeof AuthService, Call>;
  readonly identities: Identities;
  /** `keys.jwks` is what GET /.well-known/jwks.json answers. */
  readonly keys: SigningKeys;
  readonly credentials: Credentials;
  /** For every list of every service. */
  readonly pageTokens: PageTokens;
  /** Its `waiting` is worth a metric. */
  readonly hashing: HashingQueue;
}

/** @throws SigningKeyError when the configured key cannot be used; DatabaseError */
export async function createAuth({ store, bus, clock, config, securityLog, readKeysEveryMs }: AuthOptions): Promise<Auth> {
  const keys = await SigningKeys.open(store, clock, config.signingKey, readKeysEveryMs);
  const accessTokens = new AccessTokens(keys, clock, config);
  const hashing = new HashingQueue({ concurrency: config.hashConcurrency, queue: config.hashQueue });
  const failures = new LogInFailures(bus, clock, config);
  const credentials = new Credentials(new Passwords(hashing, config.bcryptCost), failures);
  const tokens = new SessionTokens(accessTokens, keys.secretFor("refresh tokens"), clock, config);
  const identities = new Identities({ store, bus, clock, keys, accessTokens });
  const pageTokens = new PageTokens(keys.secretFor("page tokens"));
  const context = { store, clock, credentials, tokens, identities, pageTokens, securityLog };
  return { authService: authService(context, config), identities, keys, credentials, pageTokens, hashing };
}
