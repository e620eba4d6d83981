import { Goodbye_Reason } from "@parlor/contract";
import type { RoomEvent } from "../domain/room-event.ts";
import type { RoomFeed } from "../log/room-feed.ts";
import type { TraceParent, Tracing } from "../ports/tracing.ts";
import { type FastPath, type FrameFormat, keepsUp, type Sink } from "./sink.ts";
import type { TurnQueue, TurnTask } from "./turn-queue.ts";

/** A connection, as far as what it reads is concerned. */
export interface Reader {
  readonly sink: Sink;
  /** Bytes that may wait to be sent. */
  readonly outboundBytes: number;
  /** By room. */
  readonly followers: Map<string, Follower>;
  /** What must arrive, and the events in it; a reader that cannot keep up is let go. */
  deliver(bytes: Uint8Array, events?: readonly RoomEvent[]): void;
  /** Events that may be lost: only for a reader that is keeping up. */
  offer(bytes: Uint8Array, events: readonly RoomEvent[]): void;
  end(reason: Goodbye_Reason): void;
}

/** One connection's place in one room. */
export interface Follower {
  readonly connection: Reader;
  readonly sink: Sink;
  readonly channel: RoomChannel;
  /** Whether it has left: nothing more is written to it. */
  gone: boolean;
  /** Whether it gets events as they come; otherwise it is catching up. */
  live: boolean;
  /** The sink's, as it was last asked: a delivery reads no more than it must, since what it reads for each of many is in no cache. */
  fastPath: FastPath | undefined;
}

/** What channels tell their hub. */
export interface ChannelOwner {
  /** Bytes that may wait to be sent to a reader. */
  readonly outboundBytes: number;
  /** Left out where traces are off. */
  readonly tracing: Tracing | undefined;
  /** After the last write: how many events went to how many readers, how long that took since they came, and in which span they came. */
  delivered(events: number, readers: number, lagMs: number, from: TraceParent | undefined): void;
  /** A follower takes no more for now: it is to go on after this `seq` as it acknowledges. */
  fellBehind(follower: Follower, after: number): void;
}

/** A run of events in each format that a reader needed. */
export type EncodedRun = Map<FrameFormat, Uint8Array>;

/** Bytes of events per frame, so that a flood does not become one frame larger than a connection may queue. */
const frameBytes = 128 * 1024;

/** A piece of fan-out under way: the same bytes for everyone who was live when it began. */
interface Delivery {
  readonly events: readonly RoomEvent[];
  readonly followers: readonly Follower[];
  readonly bytes: EncodedRun;
  readonly since: number;
  readonly from: TraceParent | undefined;
  next: number;
}

/** The live readers of one room on this node. Events gather during a turn; then each reader gets one write for all of them. */
export class RoomChannel implements TurnTask {
  readonly feed: RoomFeed;
  /** Registered followers, live or still catching up. */
  followers = 0;
  readonly #queue: TurnQueue;
  readonly #owner: ChannelOwner;
  #pending: RoomEvent[] = [];
  /** When the oldest pending event came. */
  #pendingSince = 0;
  /** The span in which it came. */
  #pendingFrom: TraceParent | undefined;
  #deliveries: Delivery[] = [];
  /** Replaced, never changed, while a delivery walks over it. */
  #live: Follower[] = [];

  constructor(feed: RoomFeed, queue: TurnQueue, owner: ChannelOwner) {
    this.feed = feed;
    this.#queue = queue;
    this.#owner = owner;
  }

  get live(): readonly Follower[] {
    return this.#live;
  }

  /** Durable events, in order. */
  push(events: readonly RoomEvent[]): void {
    if (this.#live.length === 0 || events.length === 0) return;
    if (this.#pending.length === 0) {
      this.#pendingSince = performance.now();
      this.#pendingFrom = this.#owner.tracing?.current();
    }
    for (const event of events) this.#pending.push(event);
    this.#queue.add(this);
  }

  /** Makes a follower live, who has everything up to the feed's head. */
  join(follower: Follower): void {
    this.flush();
    follower.live = true;
    this.route(follower);
    this.#live = [...this.#live, follower];
  }

  /** Asks how runs go to the follower from now on. */
  route(follower: Follower): void {
    follower.fastPath = follower.sink.fastPathOf?.(this.feed.roomId);
  }

  leave(follower: Follower): void {
    follower.gone = true;
    this.#remove(follower);
  }

  #remove(follower: Follower): void {
    follower.live = false;
    this.#live = this.#live.filter((other) => other !== follower);
  }

  /** Writes all that is pending now. */
  flush(): void {
    this.run(Number.POSITIVE_INFINITY);
  }

  /** Typing, presence: to whoever keeps up. */
  ephemeral(event: RoomEvent): void {
    const bytes: EncodedRun = new Map();
    for (const { connection } of this.#live) offer(connection, bytes, [event]);
  }

  run(deadline: number): boolean {
    if (this.#pending.length > 0) {
      const [since, from] = [this.#pendingSince, this.#pendingFrom];
      for (const events of split(this.#pending, frameBytes))
        this.#deliveries.push({ events, followers: this.#live, bytes: new Map(), since, from, next: 0 });
      this.#pending = [];
    }
    for (let delivery = this.#deliveries[0]; delivery; delivery = this.#deliveries[0]) {
      if (!this.#deliver(delivery, deadline)) return false;
      this.#deliveries.shift();
      this.#owner.delivered(delivery.events.length, delivery.followers.length, performance.now() - delivery.since, delivery.from);
    }
    return true;
  }

  /** Says whether everyone was reached before the deadline. Looks at the time only now and then: it costs as much as a write. */
  #deliver(delivery: Delivery, deadline: number): boolean {
    const { followers } = delivery;
    while (delivery.next < followers.length) {
      const follower = followers[delivery.next++] as Follower;
      if (follower.live && !this.#pass(follower, delivery)) this.#write(follower, delivery);
      if (delivery.next % 64 === 0 && performance.now() > deadline) return false;
    }
    return true;
  }

  /** Takes the fast path if there is one, and nothing waits on it; says whether it did. */
  #pass({ fastPath }: Follower, { bytes, events }: Delivery): boolean {
    if (!fastPath) return false;
    const frame = encoded(bytes, fastPath.format, events);
    return frame.length <= this.#owner.outboundBytes && fastPath.passage.pass(frame);
  }

  /** Asks the sink what of the run its reader takes. One that cannot keep up is let go. */
  #write(follower: Follower, { bytes, events }: Delivery): void {
    const { sink, connection } = follower;
    const first = events[0] as RoomEvent;
    const format = sink.formatFor(first);
    if (!format) return;
    if (!fits(follower, events)) return void this.#letGo(follower, first.seq - 1);
    const frame = encoded(bytes, format, events);
    if (keepsUp(sink, frame, this.#owner.outboundBytes)) sink.write(frame, events);
    else connection.end(Goodbye_Reason.SLOW_CONSUMER);
  }

  /** What is still to be delivered comes to it from the log, too. */
  #letGo(follower: Follower, after: number): void {
    this.#remove(follower);
    this.#owner.fellBehind(follower, after);
  }
}

/** Whether the reader takes all of these durable events now. */
export function fits({ sink }: Follower, events: readonly RoomEvent[]): boolean {
  return sink.window === undefined || events.length === 0 || sink.window.sizeFor(events[0] as RoomEvent) >= events.length;
}

/** Offers an event that may be lost. */
export function offer(connection: Reader, bytes: EncodedRun, run: readonly [RoomEvent]): void {
  const format = connection.sink.formatFor(run[0]);
  if (format) connection.offer(encoded(bytes, format, run), run);
}

/** Each representation is made once, when the first reader needs it. */
function encoded(bytes: EncodedRun, format: FrameFormat, events: readonly RoomEvent[]): Uint8Array {
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
