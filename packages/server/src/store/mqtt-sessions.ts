import { type Kysely, type Selectable, sql } from "kysely";
import type { MqttCursorsTable, MqttSessionsTable, Schema } from "./schema.ts";

export type MqttSessionRow = Selectable<MqttSessionsTable>;
export type MqttCursorRow = Selectable<MqttCursorsTable>;
type Store = Kysely<Schema>;

/** How late `seen_at` of a connected session may be (seconds): a session that nobody ended is kept this much longer. */
export const seenWithinSeconds = 900;

const expired = sql<boolean>`coalesce(left_at, seen_at + make_interval(secs => ${sql.lit(seenWithinSeconds)}))
  + make_interval(secs => expiry_seconds) < now()`;

/** A session, locked until the transaction ends. */
export function lockMqttSession(
  tx: Store,
  userId: string,
  clientId: string,
): Promise<(MqttSessionRow & { readonly expired: boolean }) | undefined> {
  return tx
    .selectFrom("mqtt_sessions")
    .selectAll()
    .select(expired.as("expired"))
    .where("user_id", "=", userId)
    .where("client_id", "=", clientId)
    .forUpdate()
    .executeTakeFirst();
}

export async function deleteMqttSession(store: Store, userId: string, clientId: string): Promise<void> {
  await store.deleteFrom("mqtt_sessions").where("user_id", "=", userId).where("client_id", "=", clientId).execute();
}

/** How many sessions a person has; those that are over are removed first. */
export async function countMqttSessions(tx: Store, userId: string): Promise<number> {
  await tx.deleteFrom("mqtt_sessions").where("user_id", "=", userId).where(expired).execute();
  const query = tx
    .selectFrom("mqtt_sessions")
    .select((eb) => eb.fn.countAll<number>().as("count"))
    .where("user_id", "=", userId);
  return Number((await query.executeTakeFirstOrThrow()).count);
}

/** Removes sessions that are over, whoever had them; several nodes may do so at the same time. */
export async function deleteExpiredMqttSessions(store: Store, most: number): Promise<void> {
  const over = store.selectFrom("mqtt_sessions").select(["user_id", "client_id"]).where(expired).limit(most).forUpdate().skipLocked();
  await sql`delete from mqtt_sessions where (user_id, client_id) in (${over})`.execute(store);
}

/** Makes a session, or takes the one that is there; the new epoch. `settledAt`: of a new one. */
export async function takeMqttSession(
  tx: Store,
  userId: string,
  clientId: string,
  expirySeconds: number,
  settledAt: Date,
): Promise<number> {
  const statement = sql<{
    epoch: number;
  }>`insert into mqtt_sessions (user_id, client_id, epoch, subscriptions, expiry_seconds, settled_at, seen_at)
    values (${userId}, ${clientId}, 1, '[]', ${expirySeconds}, ${settledAt}, now())
    on conflict (user_id, client_id) do update
      set epoch = mqtt_sessions.epoch + 1, expiry_seconds = excluded.expiry_seconds, seen_at = now(), left_at = null
    returning epoch`;
  return (await statement.execute(tx)).rows[0]?.epoch ?? 0;
}

/** Where a session is in its rooms. While the end of its last connection is not stored, it may have been sent all that there is. */
export async function mqttCursors(store: Store, userId: string, clientId: string): Promise<MqttCursorRow[]> {
  const statement = sql<MqttCursorRow>`select c.user_id, c.client_id, c.room_id, c.acked_seq,
      case when s.left_at is null then greatest(c.sent_seq, r.last_seq) else c.sent_seq end as sent_seq
    from mqtt_sessions s join mqtt_cursors c using (user_id, client_id) left join rooms r on r.id = c.room_id
    where s.user_id = ${userId} and s.client_id = ${clientId}`;
  return (await statement.execute(store)).rows;
}

/**
 * Where the rooms begin that a person has come into while a session was away: at the last message before. Costs as many rows as
 * the session will get from there.
 */
export async function beginningsOf(
  store: Store,
  userId: string,
  except: readonly string[],
): Promise<Array<{ readonly room_id: string; readonly seq: number; readonly last_seq: number }>> {
  const statement = sql<{ room_id: string; seq: number; last_seq: number }>`select m.room_id, greatest(r.first_seq - 1, coalesce((
      select seq from messages where room_id = m.room_id and created_at < m.joined_at order by seq desc limit 1), 0)) as seq, r.last_seq
    from room_members m join rooms r on r.id = m.room_id where m.user_id = ${userId} and not m.room_id = any(${except}::uuid[])`;
  return (await statement.execute(store)).rows;
}

/** A session as its connection last took it. */
export interface HeldSession {
  readonly userId: string;
  readonly clientId: string;
  readonly epoch: number;
}

/** False when another connection has the session. */
export async function putMqttSubscriptions(store: Store, held: HeldSession, subscriptions: readonly object[]): Promise<boolean> {
  const { numAffectedRows } = await sql`update mqtt_sessions set subscriptions = ${JSON.stringify(subscriptions)}::jsonb
    where ${isHeld(held)}`.execute(store);
  return (numAffectedRows ?? 0n) > 0n;
}

export async function deleteMqttCursors(store: Store, { userId, clientId, epoch }: HeldSession, roomIds: readonly string[]): Promise<void> {
  await sql`delete from mqtt_cursors c using mqtt_sessions s where c.user_id = ${userId} and c.client_id = ${clientId}
    and c.room_id = any(${roomIds}::uuid[]) and s.user_id = c.user_id and s.client_id = c.client_id and s.epoch = ${epoch}`.execute(store);
}

/** A cursor of a held session. */
export interface HeldCursor extends HeldSession {
  readonly roomId: string;
  readonly acked: number;
  readonly sent: number;
}

/** Moves cursors forward, all in one statement; those of sessions that others have are passed over. */
export async function putMqttCursors(store: Store, cursors: readonly HeldCursor[]): Promise<void> {
  if (cursors.length === 0) return;
  const column = (key: keyof HeldCursor) => cursors.map((cursor) => cursor[key]);
  await sql`insert into mqtt_cursors as c (user_id, client_id, room_id, acked_seq, sent_seq)
    select v.user_id, v.client_id, v.room_id, v.acked, v.sent
    from unnest(${column("userId")}::uuid[], ${column("clientId")}::text[], ${column("epoch")}::bigint[], ${column("roomId")}::uuid[],
      ${column("acked")}::bigint[], ${column("sent")}::bigint[]) as v (user_id, client_id, epoch, room_id, acked, sent)
    join mqtt_sessions s on s.user_id = v.user_id and s.client_id = v.client_id and s.epoch = v.epoch
    order by v.user_id, v.client_id, v.room_id
    on conflict (user_id, client_id, room_id) do update
      set acked_seq = greatest(c.acked_seq, excluded.acked_seq), sent_seq = greatest(c.sent_seq, excluded.sent_seq)`.execute(store);
}

/** Held sessions are connected now, and their clients have got every answer up to `settledAt`. Returns those that are held indeed. */
export async function putMqttSeen(
  store: Store,
  sessions: readonly (HeldSession & { readonly settledAt: Date })[],
): Promise<readonly Pick<MqttSessionRow, "user_id" | "client_id">[]> {
  if (sessions.length === 0) return [];
  const column = (key: keyof HeldSession | "settledAt") => sessions.map((session) => session[key]);
  const statement = sql<Pick<MqttSessionRow, "user_id" | "client_id">>`update mqtt_sessions s set seen_at = now(), settled_at = v.settled_at
    from unnest(${column("userId")}::uuid[], ${column("clientId")}::text[], ${column("epoch")}::bigint[],
      ${column("settledAt")}::timestamptz[]) as v (user_id, client_id, epoch, settled_at)
    where s.user_id = v.user_id and s.client_id = v.client_id and s.epoch = v.epoch
    returning s.user_id, s.client_id`;
  return (await statement.execute(store)).rows;
}

/** The connection of a held session is over; a session that is not to be kept goes with it. */
export async function leaveMqttSession(store: Store, held: HeldSession, expirySeconds: number, settledAt: Date): Promise<void> {
  if (expirySeconds === 0) await sql`delete from mqtt_sessions where ${isHeld(held)}`.execute(store);
  else
    await sql`update mqtt_sessions set left_at = now(), settled_at = ${settledAt}, expiry_seconds = ${expirySeconds}
      where ${isHeld(held)}`.execute(store);
}

function isHeld({ userId, clientId, epoch }: HeldSession) {
  return sql`user_id = ${userId} and client_id = ${clientId} and epoch = ${epoch}`;
}
