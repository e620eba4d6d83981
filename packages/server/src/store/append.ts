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

// Events come as one value, which PostgreSQL cuts up: an array of bytes would be twice as long, as text, and be parsed.
// The division fails, and with it everything, when a room is gone or has moved on: so that this statement is right by itself,
// without a lock before it.
const append = `
  with added as (
    insert into room_events (room_id, seq, event, message_seq)
    select ($1::uuid[])[event.room], event.seq, substring($5::bytea from event.start for event.length), event.message_seq
    from unnest($6::int[], $7::bigint[], $8::int[], $9::int[], $10::bigint[]) as event(room, seq, start, length, message_seq)
  ), sent as (
    insert into messages (room_id, seq, id, author_id, text, client_message_id, content_hash, created_at)
    select ($1::uuid[])[sent.room], sent.seq, sent.id, sent.author_id, sent.text, sent.key, sha256(convert_to(sent.text, 'UTF8')), sent.at
    from unnest($11::int[], $12::bigint[], $13::uuid[], $14::uuid[], $15::text[], $16::text[], $17::timestamptz[])
      as sent(room, seq, id, author_id, text, key, at)
  ), moved as (
    update rooms set last_seq = head.last_seq, policy_seq = head.policy_seq
    from unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[]) as head(id, previous_seq, last_seq, policy_seq)
    where rooms.id = head.id and rooms.last_seq = head.previous_seq
    returning 1
  )
  select 1 / (count(*) = cardinality($1::uuid[]))::int from moved`;

/**
 * Adds to the logs: events, the messages among them, and the new ends of their rooms.
 * @throws DatabaseError `unique` or `fault` when a room is no longer where the heads say, or a message's key is taken
 */
export async function appendToLogs(
  session: Session,
  events: readonly EventRow[],
  messages: readonly MessageRow[],
  heads: readonly RoomHead[],
): Promise<void> {
  const numbers = new Map(heads.map((head, index) => [head.id, index + 1]));
  const roomOf = ({ room_id }: EventRow | MessageRow): number => numbers.get(room_id) ?? 0;
  await session.query(append, [
    heads.map((head) => head.id),
    heads.map((head) => head.previous_seq),
    heads.map((head) => head.last_seq),
    heads.map((head) => head.policy_seq),
    Buffer.concat(events.map((row) => row.event)),
    events.map(roomOf),
    events.map((row) => row.seq),
    startsOf(events),
    events.map((row) => row.event.length),
    events.map((row) => row.message_seq),
    messages.map(roomOf),
    messages.map((row) => row.seq),
    messages.map((row) => row.id),
    messages.map((row) => row.author_id),
    messages.map((row) => row.text),
    messages.map((row) => row.client_message_id),
    messages.map((row) => row.created_at),
  ]);
}

/** Where each begins when all are one after the other, counted from 1 as SQL does. */
function startsOf(events: readonly EventRow[]): number[] {
  let next = 1;
  return events.map(({ event }) => {
    const start = next;
    next += event.length;
    return start;
  });
}
