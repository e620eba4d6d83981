import { type Kysely, type Selectable, sql } from "kysely";
import type { Schema, SessionsTable, UsersTable } from "./schema.ts";

export type SessionRow = Selectable<SessionsTable>;
type Store = Kysely<Schema>;

export async function insertSession(tx: Store, session: SessionRow): Promise<void> {
  await tx.insertInto("sessions").values(session).execute();
}

export function findSession(store: Store, id: string): Promise<SessionRow | undefined> {
  return store.selectFrom("sessions").selectAll().where("id", "=", id).executeTakeFirst();
}

/** A session or API token, and what of its owner decides whether it is good. */
export type StandingRow = Pick<SessionRow, "id" | "user_id" | "kind" | "scopes" | "secret_hash" | "expires_at" | "revoked_at"> &
  Pick<Selectable<UsersTable>, "username" | "role" | "deactivated_at">;

/** Those of the given sessions and API tokens that exist, in no order. */
export async function findStandings(store: Store, ids: readonly string[]): Promise<StandingRow[]> {
  const statement = sql<StandingRow>`select s.id, s.user_id, s.kind, s.scopes, s.secret_hash, s.expires_at, s.revoked_at,
      u.username, u.role, u.deactivated_at
    from sessions s join users u on u.id = s.user_id where s.id = any(${ids}::uuid[])`;
  return (await statement.execute(store)).rows;
}

export interface Exchange {
  readonly sessionId: string;
  /** The generation and hash of the refresh token that is given up. */
  readonly generation: number;
  readonly presentedHash: Uint8Array;
  readonly successorHash: Uint8Array;
  readonly now: Date;
  readonly expiresAt: Date;
}

/** Puts a refresh token in the place of the one in force: whose session it is, or undefined when that one is not in force (any more). */
export async function exchangeRefreshToken(store: Store, exchange: Exchange): Promise<string | undefined> {
  const { sessionId, generation, presentedHash, successorHash, now, expiresAt } = exchange;
  const row = await store
    .updateTable("sessions")
    .set({ generation: generation + 1, secret_hash: successorHash, refreshed_at: now, expires_at: expiresAt })
    .where("id", "=", sessionId)
    .where("kind", "=", "session")
    .where("generation", "=", generation)
    .where("secret_hash", "=", presentedHash)
    .where("revoked_at", "is", null)
    .where("expires_at", ">", now)
    .returning("user_id")
    .executeTakeFirst();
  return row?.user_id;
}

/** Ends a session or API token; false when it was not in force. */
export async function revokeSession(store: Store, id: string, now: Date): Promise<boolean> {
  const result = await store
    .updateTable("sessions")
    .set({ revoked_at: now })
    .where("id", "=", id)
    .where("revoked_at", "is", null)
    .executeTakeFirst();
  return result.numUpdatedRows > 0n;
}

/** Ends all sessions and API tokens of a person but one; the ids of those that were in force. */
export async function revokeSessionsOf(tx: Store, userId: string, now: Date, except?: string): Promise<string[]> {
  let query = tx.updateTable("sessions").set({ revoked_at: now }).where("user_id", "=", userId).where("revoked_at", "is", null);
  if (except !== undefined) query = query.where("id", "!=", except);
  return (await query.returning("id").execute()).map((row) => row.id);
}

export interface SessionPage {
  readonly userId: string;
  readonly kind: SessionRow["kind"];
  readonly now: Date;
  /** The id after which to go on. */
  readonly after: string | undefined;
  readonly limit: number;
}

/** The sessions or API tokens of a person that are in force, newest first. */
export function listSessions(store: Store, { userId, kind, now, after, limit }: SessionPage): Promise<SessionRow[]> {
  let query = store
    .selectFrom("sessions")
    .selectAll()
    .where("user_id", "=", userId)
    .where("kind", "=", kind)
    .where("revoked_at", "is", null)
    .where((eb) => eb.or([eb("expires_at", "is", null), eb("expires_at", ">", now)]));
  if (after !== undefined) query = query.where("id", "<", after);
  return query.orderBy("id", "desc").limit(limit).execute();
}
