import { readFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import type { Kysely } from "kysely";
import type { SecurityLog } from "../domain/security-log.ts";
import type { Bus } from "../ports/bus.ts";
import type { Clock } from "../ports/clock.ts";
import { type Auth, createAuth } from "../services/auth/create-auth.ts";
import type { UsersContext } from "../services/users/users-context.ts";
import type { Schema } from "../store/schema.ts";
import type { Config } from "./config.ts";

export interface Accounts {
  readonly auth: Auth;
  readonly users: UsersContext;
}

/** Who somebody is and what they may do: for the server, and for commands that work on the database by themselves. */
export async function openAccounts(
  config: Config,
  store: Kysely<Schema>,
  bus: Bus,
  clock: Clock,
  securityLog: SecurityLog,
): Promise<Accounts> {
  const { signingKeyFile, hashConcurrency = spareCores() } = config.auth;
  const signingKey = signingKeyFile === undefined ? undefined : await readFile(signingKeyFile, "utf8");
  const auth = await createAuth({
    store,
    bus,
    clock,
    securityLog,
    config: { ...config.auth, ...config.limits, hashConcurrency, signingKey },
  });
  return { auth, users: { store, clock, securityLog, identities: auth.identities, pageTokens: auth.pageTokens } };
}

/** One core stays for everybody else while passwords are hashed, and one of the four threads of Node's pool. */
function spareCores(): number {
  return Math.min(Math.max(1, availableParallelism() - 1), 3);
}
