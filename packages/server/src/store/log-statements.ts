// The statements that every commit to the rooms' logs runs. They go to the connection as they are, without a query builder: the
// caller sends several of them before the first is answered, and each must leave in the moment of the call.
import { sincePart } from "../domain/publication-key.ts";
import type { Connection } from "../ports/database.ts";
import type { EventRow } from "./events.ts";
import type { MemberRow } from "./members.ts";
import type { StoredMessageRow } from "./messages.ts";
import type { RoomRow } from "./rooms.ts";

export type Session = Pick<Connection, "query">;

const roomColumns = `id, visibility, name, topic, created_by, created_at, archived_at, deleted_at, last_seq, policy_seq,
  member_count, post_role, slow_mode_seconds, retention_seconds, first_seq, direct_key`;

/** Begins a transaction; returns the id by which its outcome can be asked for later. */
export async function beginTransaction(session: Session): Promise<string> {
  const { rows } = await session.query<{ id: string }>("begin; select pg_current_xact_id()::text as id");
  return rows[0]?.id as string;
}

/** What became of a transaction; null when that was too long ago. @throws DatabaseError `fault` when there was none with this id */
export async function statusOf(session: Session, transactionId: string): Promise<"committed" | "aborted" | "in progress" | null> {
  type Row = { status: "committed" | "aborted" | "in progress" | null };
  const { rows } = await session.query<Row>("select pg_xact_status($1::text::xid8) as status", [transactionId]);
  return rows[0]?.status ?? null;
}

/** Ends the session of a transaction that has been open for more than a second. */
export async function endSessionOf(session: Session, transactionId: string): Promise<void> {
  const text = `select pg_terminate_backend(pid) from pg_stat_activity
    where backend_xid = $1::text::xid8::xid and xact_start < clock_timestamp() - interval '1 second'`;
  await session.query(text, [transactionId]);
}

// Rows of partitioned tables are looked up for each key by itself (`limit 1` keeps it so), which opens the key's partition. A join
// looks dearer to the planner than it is, by the number of partitions: on tables of 10,000 rows it read them from end to end.

/** How many of these events are in the logs, exactly as they are here. */
export async function storedEvents(session: Session, events: readonly EventRow[]): Promise<number> {
  const text = `select count(*) as stored from unnest($1::uuid[], $2::bigint[], $3::bytea[]) as k(room_id, seq, event)
    cross join lateral (select event from room_events where room_id = k.room_id and seq = k.seq limit 1) e where e.event = k.event`;
  const columns = [events.map((row) => row.room_id), events.map((row) => row.seq), events.map((row) => row.event)];
  return (await session.query<{ stored: number }>(text, columns)).rows[0]?.stored ?? 0;
}

/** Locks the rows of rooms, in the order of their ids so that two writers never wait for each other. */
export async function lockRooms(session: Session, ids: readonly string[]): Promise<RoomRow[]> {
  const text = `select ${roomColumns} from rooms where id = any($1::uuid[]) and deleted_at is null order by id for update`;
  return (await session.query<RoomRow>(text, [ids])).rows;
}

export interface MessageKey {
  readonly roomId: string;
  readonly authorId: string;
  readonly clientMessageId: string;
}

/** The messages that were sent under these keys. */
export async function findByKeys(session: Session, keys: readonly MessageKey[]): Promise<StoredMessageRow[]> {
  const text = `select m.* from unnest($1::uuid[], $2::uuid[], $3::text[]) as k(room_id, author_id, key)
    cross join lateral (
      select * from messages where room_id = k.room_id and author_id = k.author_id and client_message_id = k.key limit 1
    ) m`;
  const columns = [keys.map((key) => key.roomId), keys.map((key) => key.authorId), keys.map((key) => key.clientMessageId)];
  return (await session.query<StoredMessageRow>(text, columns)).rows;
}

/** Which keys of an author's messages in a room may be another message's too. */
export interface KeyRange {
  readonly roomId: string;
  readonly authorId: string;
  readonly low: string;
  readonly high: string;
  /** Whether only keys of repeats. */
  readonly repeatsOnly: boolean;
}

/** For each range the message with its greatest key, where there is one, and which range it is of. */
export async function findNewestOf(
  session: Session,
  ranges: readonly KeyRange[],
): Promise<(StoredMessageRow & { readonly range: number })[]> {
  const text = `select (k.number - 1)::int as range, m.* from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::boolean[])
    with ordinality as k(room_id, author_id, low, high, repeats_only, number) cross join lateral (
      select * from messages where room_id = k.room_id and author_id = k.author_id and client_message_id between k.low and k.high
        and (not k.repeats_only or substr(client_message_id, ${sincePart.first}, ${sincePart.length}) <> '${sincePart.never}')
      order by client_message_id desc limit 1) m`;
  const column = (key: keyof KeyRange) => ranges.map((range) => range[key]);
  const columns = [column("roomId"), column("authorId"), column("low"), column("high"), column("repeatsOnly")];
  return (await session.query<StoredMessageRow & { readonly range: number }>(text, columns)).rows;
}

/** The messages that were stored under these ids. */
export async function findByIds(
  session: Session,
  keys: readonly { readonly roomId: string; readonly id: string }[],
): Promise<StoredMessageRow[]> {
  const text = `select m.* from unnest($1::uuid[], $2::uuid[]) as k(room_id, id)
    cross join lateral (select * from messages where room_id = k.room_id and id = k.id limit 1) m`;
  return (await session.query<StoredMessageRow>(text, [keys.map((key) => key.roomId), keys.map((key) => key.id)])).rows;
}

/** The members among these pairs of room and user. */
export async function findMembers(session: Session, roomIds: readonly string[], userIds: readonly string[]): Promise<MemberRow[]> {
  const text = "select m.* from unnest($1::uuid[], $2::uuid[]) as p(room_id, user_id) join room_members m using (room_id, user_id)";
  return (await session.query<MemberRow>(text, [roomIds, userIds])).rows;
}
