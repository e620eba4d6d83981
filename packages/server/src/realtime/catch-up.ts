import { create } from "@bufbuild/protobuf";
import { ServerFrameSchema } from "@parlor/contract";
import type { RoomEvent } from "../domain/room-event.ts";
import { type Follower, fits, split } from "./room-channel.ts";

/**
 * Brings a follower from a `seq` to the live stream, without hole or repeat:
 * 1. backfill: from the Store, then from memory, a frame at a time and as fast as the reader takes them;
 * 2. cutover: the last frame and the entry among the live readers, in one turn of the event loop;
 * 3. live: the channel's affair.
 */
export async function catchUp(follower: Follower, after: number): Promise<void> {
  const { feed } = follower.channel;
  // JSON may take six times the bytes: a frame never fills what may wait.
  const frameBytes = follower.connection.outboundBytes / 8;
  let cursor = after;
  while (!follower.gone) {
    await takenUp(follower);
    const recent = feed.recent(cursor);
    // What the Store has beyond the head comes by the feed: it would be told twice.
    const events = recent ?? (await feed.page(cursor)).filter(({ seq }) => seq <= feed.head);
    const runs = [...split(events, frameBytes)];
    if (recent && runs.length === 1 && fits(follower, recent)) return cutOver(follower, recent);
    // Retention removes only the head of a log, and may do so under a reader.
    if (events[0] && events[0].seq > cursor + 1) tellOfGap(follower, cursor + 1, events[0].seq - 1);
    for (const run of runs) {
      await writePaced(follower, run);
      cursor = run.at(-1)?.seq ?? raise(`The log of room ${feed.roomId} ends at ${cursor}, before its head ${feed.head}.`);
    }
  }
}

/** Writes a run in as many pieces as its reader wants. */
async function writePaced(follower: Follower, run: readonly RoomEvent[]): Promise<void> {
  const { window } = follower.connection.sink;
  for (let rest = run; rest[0] && !follower.gone; ) {
    await takenUp(follower);
    const size = window?.sizeFor(rest[0]) ?? rest.length;
    write(follower, rest.slice(0, size));
    rest = rest.slice(size);
    if (rest[0]) await window?.opened(rest[0]);
  }
}

function raise(message: string): never {
  throw new Error(message);
}

/** Everything up to the feed's head, then live; nothing can happen in between. */
function cutOver(follower: Follower, rest: readonly RoomEvent[]): void {
  if (follower.gone) return;
  write(follower, rest);
  follower.channel.join(follower);
}

function write({ connection, gone }: Follower, events: readonly RoomEvent[]): void {
  const first = events[0];
  const format = first && !gone ? connection.sink.formatFor(first) : undefined;
  if (format) connection.deliver(format.events(events), events);
}

function tellOfGap({ connection, channel, gone }: Follower, from: number, to: number): void {
  if (!gone) connection.deliver(connection.sink.encode(create(ServerFrameSchema, { gaps: [{ roomId: channel.feed.roomId, from, to }] })));
}

/** Waits for a reader that has much to take, so that catching up needs no more memory than being live. */
async function takenUp({ connection }: Follower): Promise<void> {
  if (connection.sink.queuedBytes > connection.outboundBytes / 8) await connection.sink.drained();
}
