// The statements that every commit to the rooms' logs runs. They go to the connection as they are, without a query builder: the
// caller sends several of them before the first is answered, and each must leave in the moment of the call.
import type { Connection } from "../ports/database.ts";
import type { EventRow } from "./events.ts";
import type { MemberRow } from "./members.ts";
import type { MessageRow } from "./messages.ts";
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

/** How many of these events are in the logs, exactly as they are here. */
export async function storedEvents(session: Session, events: readonly EventRow[]): Promise<number> {
  const text = `select count(*) as stored from unnest($1::uuid[], $2::bigint[], $3::bytea[]) as k(room_id, seq, event)
    join room_events e using (room_id, seq) where e.event = k.event`;
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
export async function findByKeys(session: Session, keys: readonly MessageKey[]): Promise<MessageRow[]> {
  const text = `select m.* from unnest($1::uuid[], $2::uuid[], $3::text[]) as k(room_id, author_id, client_message_id)
    join messages m using (room_id, author_id, client_message_id)`;
  const columns = [keys.map((key) => key.roomId), keys.map((key) => key.authorId), keys.map((key) => key.clientMessageId)];
  return (await session.query<MessageRow>(text, columns)).rows;
}

/** The messages that were stored under these ids. */
export async function findByIds(
  session: Session,
  keys: readonly { readonly roomId: string; readonly id: string }[],
): Promise<MessageRow[]> {
  const text = "select m.* from unnest($1::uuid[], $2::uuid[]) as k(room_id, id) join messages m using (room_id, id)";
  return (await session.query<MessageRow>(text, [keys.map((key) => key.roomId), keys.map((key) => key.id)])).rows;
}

/** The members among these pairs of room and user. */
export async function findMembers(session: Session, roomIds: readonly string[], userIds: readonly string[]): Promise<MemberRow[]> {
  const text = "select m.* from unnest($1::uuid[], $2::uuid[]) as p(room_id, user_id) join room_members m using (room_id, user_id)";
  return (await session.query<MemberRow>(text, [roomIds, userIds])).rows;
}

export interface RoomHead {
  readonly id: string;
  /** The `seq` after which the events were added. */
  readonly previous_seq: number;
  readonly last_seq: number;
  readonly policy_seq: number;
}

// The division fails, and with it everything, when a room is gone or has moved on: so that this statement is right by itself,
// without a lock before it.
const append = `
  with added as (
    insert into room_events (room_id, seq, event, message_seq)
    select * from unnest($1::uuid[], $2::bigint[], $3::bytea[], $4::bigint[])
  ), sent as (
    insert into messages (room_id, seq, id, author_id, text, client_message_id, content_hash, created_at)
    select * from unnest($5::uuid[], $6::bigint[], $7::uuid[], $8::uuid[], $9::text[], $10::text[], $11::bytea[], $12::timestamptz[])
  ), moved as (
    update rooms set last_seq = head.last_seq, policy_seq = head.policy_seq
    from unnest($13::uuid[], $14::bigint[], $15::bigint[], $16::bigint[]) as head(id, previous_seq, last_seq, policy_seq)
    where rooms.id = head.id and rooms.last_seq = head.previous_seq
    returning 1
  )
  select 1 / (count(*) = cardinality($13::uuid[]))::int from moved`;

/**
 * Adds to the logs: events, the messages among them, and the rooms' new ends.
 * @throws DatabaseError `unique` or `fault` when a room is no longer where the heads say, or a message's key is taken
 */
export async function appendToLogs(
  session: Session,
  events: readonly EventRow[],
  messages: readonly MessageRow[],
  heads: readonly RoomHead[],
): Promise<void> {
  await session.query(append, [
    events.map((row) => row.room_id),
    events.map((row) => row.seq),
    events.map((row) => row.event),
    events.map((row) => row.message_seq),
    messages.map((row) => row.room_id),
    messages.map((row) => row.seq),
    messages.map((row) => row.id),
    messages.map((row) => row.author_id),
    messages.map((row) => row.text),
    messages.map((row) => row.client_message_id),
    messages.map((row) => row.content_hash),
    messages.map((row) => row.created_at),
    heads.map((head) => head.id),
    heads.map((head) => head.previous_seq),
    heads.map((head) => head.last_seq),
    heads.map((head) => head.policy_seq),
  ]);
}
