import { ApiToken_Scope } from "@parlor/contract";
import type { Kysely } from "kysely";
import type { Caller } from "../../domain/call.ts";
import type { Schema } from "../../store/schema.ts";
import { findUserByName } from "../../store/users.ts";

const scopes: ReadonlySet<ApiToken_Scope> = new Set([ApiToken_Scope.WRITE]);

/**
 * The person of a user name, to write as whom a trusted broker has let somebody in; undefined when there is no such account, or it
 * is deactivated. Asked for every message, so that a deactivation counts at once. The name is taken as it is written: to a broker `Ada`
 * is somebody else than `ada`.
 */
export async function actAs(store: Kysely<Schema>, username: string): Promise<Caller | undefined> {
  const row = await findUserByName(store, username);
  if (!row || row.deactivated_at !== null) return undefined;
  return { userId: row.id, username: row.username, role: row.role, sessionId: "", scopes };
}
