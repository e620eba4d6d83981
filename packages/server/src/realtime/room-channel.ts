import type { RoomEvent } from "../domain/room-event.ts";
import type { RoomFeed } from "../log/room-feed.ts";
import type { FrameFormat, Sink } from "./sink.ts";
import type { TurnQueue, TurnTask } from "./turn-queue.ts";

/** A connection, as far as what it reads is concerned. */
export interface Reader {
  readonly sink: Sink;
  /** Bytes that may wait to be sent. */
  readonly outboundBytes: number;
  /** By room. */
  readonly followers: Map<string, Follower>;
  /** Events that must arrive; a reader that cannot keep up is let go. */
  deliver(bytes: Uint8Array): void;
  /** Events that may be lost: only for a reader that is keeping up. */
  offer(bytes: Uint8Array): void;
}

/** One connection's place in one room. */
export interface Follower {
  readonly connection: Reader;
  readonly channel: RoomChannel;
  /** Whether it has left: nothing more is written to it. */
  gone: boolean;
}

/** Told after the last write: how many events went to how many readers, and how long that took since they came. */
export type Delivered = (events: number, readers: number, lagMs: number) => void;

/** Bytes of events per frame, so that a flood does not become one frame larger than a connection may queue. */
const frameBytes = 128 * 1024;

/** A piece of fan-out under way: the same bytes for everyone who was live when it began. */
interface Delivery {
  readonly events: readonly RoomEvent[];
  readonly followers: readonly Follower[];
  readonly bytes: Map<FrameFormat, Uint8Array>;
  readonly since: number;
  next: number;
}

/** The live readers of one room on this node. Events gather during a turn; then each reader gets one write for all of them. */
export class RoomChannel implements TurnTask {
  readonly feed: RoomFeed;
  /** Registered followers, live or still catching up. */
  followers = 0;
  readonly #queue: TurnQueue;
  readonly #delivered: Delivered;
  #pending: RoomEvent[] = [];
  /** When the oldest pending event came. */
  #pendingSince = 0;
  #deliveries: Delivery[] = [];
  /** Replaced, never changed, while a delivery walks over it. */
  #live: Follower[] = [];

  constructor(feed: RoomFeed, queue: TurnQueue, delivered: Delivered) {
    this.feed = feed;
    this.#queue = queue;
    this.#delivered = delivered;
  }

  get live(): readonly Follower[] {
    return this.#live;
  }

  /** Durable events, in order. */
  push(events: readonly RoomEvent[]): void {
    if (this.#live.length === 0 || events.length === 0) return;
    if (this.#pending.length === 0) this.#pendingSince = performance.now();
    for (const event of events) this.#pending.push(event);
    this.#queue.add(this);
  }

  /** Makes a follower live, who has everything up to the feed's head. */
  join(follower: Follower): void {
    this.flush();
    this.#live = [...this.#live, follower];
  }

  leave(follower: Follower): void {
    follower.gone = true;
    this.#live = this.#live.filter((other) => other !== follower);
  }

  /** Writes all that is pending now. */
  flush(): void {
    this.run(Number.POSITIVE_INFINITY);
  }

  /** Typing, presence: to whoever keeps up. */
  ephemeral(event: RoomEvent): void {
    const bytes = new Map<FrameFormat, Uint8Array>();
    for (const { connection } of this.#live) connection.offer(encoded(bytes, connection.sink.format, [event]));
  }

  run(deadline: number): boolean {
    if (this.#pending.length > 0) {
      for (const events of split(this.#pending, frameBytes))
        this.#deliveries.push({ events, followers: this.#live, bytes: new Map(), since: this.#pendingSince, next: 0 });
      this.#pending = [];
    }
    for (let delivery = this.#deliveries[0]; delivery; delivery = this.#deliveries[0]) {
      if (!deliver(delivery, deadline)) return false;
      this.#deliveries.shift();
      this.#delivered(delivery.events.length, delivery.followers.length, performance.now() - delivery.since);
    }
    return true;
  }
}

/** Says whether everyone was reached before the deadline. Looks at the time only now and then: it costs as much as a write. */
function deliver(delivery: Delivery, deadline: number): boolean {
  const { followers, bytes, events } = delivery;
  while (delivery.next < followers.length) {
    const { connection, gone } = followers[delivery.next++] as Follower;
    if (!gone) connection.deliver(encoded(bytes, connection.sink.format, events));
    if (delivery.next % 64 === 0 && performance.now() > deadline) return false;
  }
  return true;
}

/** Each representation is made once, when the first reader needs it. */
function encoded(bytes: Map<FrameFormat, Uint8Array>, format: FrameFormat, events: readonly RoomEvent[]): Uint8Array {
  let frame = bytes.get(format);
  if (!frame) {
    frame = format.events(events);
    bytes.set(format, frame);
  }
  return frame;
}

/** Runs of events of at most so many encoded bytes, or of one event. */
export function* split(events: readonly RoomEvent[], maxBytes: number): Generator<readonly RoomEvent[]> {
  let start = 0;
  let size = 0;
  for (let i = 0; i < events.length; i++) {
    size += (events[i] as RoomEvent).binary.length;
    if (size > maxBytes && i > start) {
      yield events.slice(start, i);
      start = i;
      size = (events[i] as RoomEvent).binary.length;
    }
  }
  yield start === 0 ? events : events.slice(start);
}
