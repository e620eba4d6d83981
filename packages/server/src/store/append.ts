// The statement that every commit to the rooms' logs ends with, and that most consist of.
import type { EventRow } from "./events.ts";
import type { Session } from "./log-statements.ts";
import type { MessageRow } from "./messages.ts";

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
