import { type Kysely, sql } from "kysely";
import type { Schema } from "./schema.ts";

type Store = Kysely<Schema>;

/** One node at a time removes what is old; the others pass. The number is arbitrary. */
const ADVISORY_LOCK = 7_215_301_973;

export interface DueRoom {
  readonly id: string;
  /** How long messages are kept. */
  readonly seconds: number;
}

/** Rooms whose oldest message is past its time, in the order of their ids. `seconds`: for rooms that have no time of their own. */
export async function dueRooms(store: Store, now: Date, seconds: number | null, limit: number): Promise<DueRoom[]> {
  const statement = sql<DueRoom>`select id, seconds from (
      select id, last_seq, coalesce(retention_seconds, ${seconds}::integer) as seconds from rooms where deleted_at is null
    ) r cross join lateral (select seq, created_at from messages where room_id = r.id order by seq limit 1) oldest
    where oldest.created_at < ${now}::timestamptz - make_interval(secs => seconds) and oldest.seq < r.last_seq
    order by id limit ${limit}`;
  return (await statement.execute(store)).rows;
}

/**
 * Removes messages from before a time and the part of the log that is as old, up to `limit` messages; the newest event stays.
 * Returns the `seq` of the first event that is left; undefined when there was nothing to remove, or another node is at it.
 */
export function trimRoom(store: Store, roomId: string, before: Date, limit: number): Promise<number | undefined> {
  return store.transaction().execute(async (tx) => {
    if (!(await isMine(tx))) return undefined;
    const cut = await cutOf(tx, roomId, before, limit);
    if (cut === undefined) return undefined;
    await sql`delete from message_reactions where room_id = ${roomId} and message_seq <= ${cut}`.execute(tx);
    await sql`delete from messages where room_id = ${roomId} and seq <= ${cut}`.execute(tx);
    await sql`delete from room_events where room_id = ${roomId} and seq <= ${cut}`.execute(tx);
    await sql`update rooms set first_seq = ${cut + 1} where id = ${roomId}`.execute(tx);
    return cut + 1;
  });
}

async function isMine(tx: Store): Promise<boolean> {
  const lock = sql<{ mine: boolean }>`select pg_try_advisory_xact_lock(${sql.lit(ADVISORY_LOCK)}) as mine`;
  return (await lock.execute(tx)).rows[0]?.mine === true;
}

/** The last `seq` to go. The room is locked, so that nobody reacts to a message that goes. */
async function cutOf(tx: Store, roomId: string, before: Date, limit: number): Promise<number | undefined> {
  const room = sql<{ last_seq: number }>`select last_seq from rooms where id = ${roomId} and deleted_at is null for update`;
  const last = (await room.execute(tx)).rows[0]?.last_seq;
  const oldest = sql<{ seq: number | null }>`select max(seq) as seq from (
      select seq, created_at from messages where room_id = ${roomId} order by seq limit ${limit}
    ) oldest where created_at < ${before}`;
  const seq = (await oldest.execute(tx)).rows[0]?.seq ?? undefined;
  return seq === undefined || last === undefined || last < 2 ? undefined : Math.min(seq, last - 1);
}

/** Removes up to `limit` sessions and API tokens that ended before a time; says how many. */
export async function removeEndedSessions(store: Store, before: Date, limit: number): Promise<number> {
  const statement = sql`delete from sessions where id = any(array(
    select id from sessions where least(revoked_at, expires_at) < ${before} limit ${limit}))`;
  return Number((await statement.execute(store)).numAffectedRows ?? 0n);
}
