import type { Room } from "@parlor/contract";
import type { Kysely } from "kysely";
import { notExisting } from "../domain/refusals.ts";
import type { RoomEvent } from "../domain/room-event.ts";
import { RoomPolicy, rulesOfRoom } from "../domain/room-policy.ts";
import { type Bus, busState } from "../ports/bus.ts";
import { findRoom, roomHeads } from "../store/rooms.ts";
import type { Schema } from "../store/schema.ts";
import { type FeedLimits, type FeedObserver, RoomFeed } from "./room-feed.ts";
import { RoomHints } from "./room-hints.ts";
import type { UserHints } from "./user-hints.ts";
import { rulesOf } from "./views.ts";

export interface FeedsOptions {
  readonly store: Kysely<Schema>;
  readonly bus: Bus;
  readonly userHints: UserHints;
  readonly limits: FeedLimits;
  /** Feeds kept beyond those that are pinned. */
  readonly maxIdle: number;
  /** Where others can write, a feed that is not pinned is given up this long after its last use, with its subscription (milliseconds). */
  readonly idleMs: number;
  /** How often the ends of the logs are looked up (milliseconds); left out where nobody else can write. More often while the bus is down. */
  readonly headCheckMs?: number | undefined;
  readonly reportFault: (error: unknown) => void;
}

/** How often the ends of the logs are looked up while the bus is known to be down (milliseconds). */
const headCheckAwayMs = 500;
/** Rooms per look-up of the ends of their logs. */
const roomsPerQuery = 1000;

/** Feeds that read the Store at the same time, so that enough of its sessions are left for everybody else. */
const healers = 4;

/** A feed that is being loaded, and what came in meanwhile. */
interface Loading {
  readonly promise: Promise<RoomFeed>;
  readonly early: RoomEvent[];
}

/** The feeds of this node: loaded when needed, kept true by commits and hints, given up when long unused. */
export class Feeds {
  readonly #options: FeedsOptions;
  readonly #hints: RoomHints;
  readonly #observers: FeedObserver[] = [];
  readonly #passersBy: Array<(event: RoomEvent) => void> = [];
  /** In the order of their last use. */
  readonly #feeds = new Map<string, RoomFeed>();
  readonly #loading = new Map<string, Loading>();
  readonly #unsubscribe = new Map<string, () => void>();
  readonly #headChecks: NodeJS.Timeout | undefined;
  /** Rooms of which hints were lost. */
  #doubtful = new Set<string>();
  #pinned = 0;
  #checking = false;
  #checkedAt = 0;

  constructor(options: FeedsOptions) {
    this.#options = options;
    this.#hints = new RoomHints(options.bus, options.reportFault);
    const { headCheckMs, bus, reportFault } = options;
    if (headCheckMs === undefined) return;
    this.#headChecks = setInterval(() => {
      const pauseMs = busState(bus)?.connected === false ? headCheckAwayMs : headCheckMs;
      if (performance.now() - this.#checkedAt >= pauseMs) void this.#checkHeads().catch(reportFault);
    }, headCheckAwayMs / 2);
    this.#headChecks.unref();
  }

  /** Every event of every feed from now on. */
  observe(observer: FeedObserver): void {
    this.#observers.push(observer);
  }

  /** Every event outside the logs, such as typing, that another node tells from now on. */
  observeEphemeral(observer: (event: RoomEvent) => void): void {
    this.#passersBy.push(observer);
  }

  get size(): number {
    return this.#feeds.size;
  }

  /** The feed of a room, if it is in memory. */
  peek(roomId: string): RoomFeed | undefined {
    return this.#feeds.get(roomId);
  }

  /** @throws ParlorError NOT_FOUND when there is no such room */
  async get(roomId: string): Promise<RoomFeed> {
    const feed = this.#feeds.get(roomId);
    if (!feed) return this.#load(roomId);
    if (feed.policy.deleted) throw notExisting();
    feed.usedAt = performance.now();
    this.#feeds.delete(roomId);
    this.#feeds.set(roomId, feed);
    return feed;
  }

  /** Keeps a feed in memory until it is unpinned as often as it was pinned. */
  pin(feed: RoomFeed): void {
    if (feed.pins++ === 0) this.#pinned++;
  }

  unpin(feed: RoomFeed): void {
    if (--feed.pins > 0) return;
    this.#pinned--;
    feed.usedAt = performance.now();
  }

  /** Takes what this node has committed, and tells the others. */
  committed(roomId: string, events: readonly RoomEvent[]): void {
    this.#hints.send(roomId, events);
    this.#options.userHints.arrivals(roomId, events);
    const first = events[0]?.event.kind;
    if (first?.case === "roomCreated" && first.value.room) this.#begin(first.value.room, events);
    else this.#arrived(roomId, events);
  }

  /** Tells the other nodes of something outside the log, such as typing. */
  passOn(event: RoomEvent): void {
    this.#hints.send(event.roomId, [event]);
  }

  /** Retention has removed what is before this `seq`; the other nodes see it when they look up the heads. */
  trimmed(roomId: string, firstSeq: number): void {
    this.#feeds.get(roomId)?.trim(firstSeq);
  }

  /** Reads what this node has committed without hearing of it, and tells everyone. */
  async recover(roomId: string): Promise<void> {
    const feed = this.#feeds.get(roomId);
    for (let seq = feed?.head; feed && seq !== undefined; ) {
      const events = await feed.page(seq);
      if (events.length > 0) this.committed(roomId, events);
      seq = events.at(-1)?.seq;
    }
  }

  close(): void {
    clearInterval(this.#headChecks);
    this.#hints.flush();
    for (const unsubscribe of this.#unsubscribe.values()) unsubscribe();
    this.#unsubscribe.clear();
    this.#feeds.clear();
  }

  #hinted(roomId: string, events: readonly RoomEvent[]): void {
    const durable = events.filter(({ seq }) => seq > 0);
    if (durable.length > 0) this.#arrived(roomId, durable);
    if (durable.length === events.length) return;
    for (const event of events) if (event.seq === 0) for (const observer of this.#passersBy) observer(event);
  }

  #arrived(roomId: string, events: readonly RoomEvent[]): void {
    this.#feeds.get(roomId)?.accept(events);
    this.#loading.get(roomId)?.early.push(...events);
  }

  #load(roomId: string): Promise<RoomFeed> {
    const running = this.#loading.get(roomId);
    if (running) return running.promise;
    const early: RoomEvent[] = [];
    const promise = this.#read(roomId, early).finally(() => this.#loading.delete(roomId));
    this.#loading.set(roomId, { promise, early });
    return promise;
  }

  /**
   * The feed of a room that was just made needs nothing from the Store. Somebody may have found the room there already, between
   * its commit and now: then its first events are in the feed's past, and only have to be told.
   */
  #begin(room: Room, events: readonly RoomEvent[]): void {
    const found = this.#feeds.has(room.id) || this.#loading.has(room.id);
    if (found) return void this.get(room.id).then((feed) => this.#tell(feed, events), this.#options.reportFault);
    this.#subscribe(room.id);
    this.#add(room.id, 0, new RoomPolicy(rulesOfRoom(room), 0)).accept(events);
  }

  #add(roomId: string, head: number, policy: RoomPolicy): RoomFeed {
    const observe: FeedObserver = (feed, events) => this.#tell(feed, events);
    const feed = new RoomFeed({ roomId, head, policy }, { ...this.#options, observe });
    this.#feeds.set(roomId, feed);
    this.#giveUpIdle();
    return feed;
  }

  /** Listens before it reads, so that nothing falls between the two. */
  async #read(roomId: string, early: RoomEvent[]): Promise<RoomFeed> {
    this.#subscribe(roomId);
    try {
      const row = await findRoom(this.#options.store, roomId);
      if (!row) throw notExisting();
      const feed = this.#add(roomId, row.last_seq, new RoomPolicy(rulesOf(row), row.policy_seq));
      feed.accept(early);
      return feed;
    } catch (error) {
      this.#forget(roomId);
      throw error;
    }
  }

  #tell(feed: RoomFeed, events: readonly RoomEvent[]): void {
    for (const observer of this.#observers) this.#show(observer, feed, events);
    if (feed.policy.deleted && feed.pins === 0) this.#forget(feed.roomId);
  }

  /** What is committed is committed: an observer's fault is nobody else's. */
  #show(observer: FeedObserver, feed: RoomFeed, events: readonly RoomEvent[]): void {
    try {
      observer(feed, events);
    } catch (error) {
      this.#options.reportFault(error);
    }
  }

  /** Compares the ends of all feeds with the Store: heals what a lost hint has left behind. */
  async #checkHeads(): Promise<void> {
    if (this.#checking) return;
    this.#checking = true;
    this.#checkedAt = performance.now();
    try {
      this.#giveUpUnused();
      await this.#compareAll([...this.#feeds.values()]);
    } finally {
      this.#checking = false;
    }
  }

  async #compareAll(feeds: readonly RoomFeed[]): Promise<void> {
    for (let i = 0; i < feeds.length; i += roomsPerQuery) await this.#compare(feeds.slice(i, i + roomsPerQuery));
  }

  async #compare(feeds: readonly RoomFeed[]): Promise<void> {
    const ids = feeds.map(({ roomId }) => roomId);
    const heads = new Map((await roomHeads(this.#options.store, ids)).map((head) => [head.id, head]));
    const rest = feeds.values();
    const heal = async (): Promise<void> => {
      for (const feed of rest) {
        const head = heads.get(feed.roomId);
        if (head) feed.trim(head.first_seq);
        await (head === undefined ? feed.finish() : feed.catchUp(head.last_seq));
      }
    };
    await Promise.all(Array.from({ length: healers }, heal));
  }

  #subscribe(roomId: string): void {
    const unsubscribe = this.#hints.listen(roomId, {
      hinted: (events) => this.#hinted(roomId, events),
      lost: () => this.#doubt(roomId),
    });
    this.#unsubscribe.set(roomId, unsubscribe);
  }

  /** After a gap every room is in doubt at once: they are looked up together. What is being read may have been read before the gap. */
  #doubt(roomId: string): void {
    const loading = this.#loading.get(roomId);
    if (loading) {
      void loading.promise.then(
        () => this.#doubt(roomId),
        () => undefined,
      );
      return;
    }
    if (this.#doubtful.size === 0) setImmediate(() => void this.#clearDoubts().catch(this.#options.reportFault));
    this.#doubtful.add(roomId);
  }

  async #clearDoubts(): Promise<void> {
    const rooms = this.#doubtful;
    this.#doubtful = new Set();
    await this.#compareAll([...rooms].flatMap((roomId) => this.#feeds.get(roomId) ?? []));
  }

  #giveUpUnused(): void {
    const since = performance.now() - this.#options.idleMs;
    for (const [roomId, feed] of this.#feeds) if (feed.pins === 0 && feed.usedAt < since) this.#forget(roomId);
  }

  #giveUpIdle(): void {
    let excess = this.#feeds.size - this.#pinned - this.#options.maxIdle;
    for (const [roomId, feed] of this.#feeds) {
      if (excess <= 0) return;
      if (feed.pins > 0) continue;
      this.#forget(roomId);
      excess--;
    }
  }

  #forget(roomId: string): void {
    this.#feeds.delete(roomId);
    this.#unsubscribe.get(roomId)?.();
    this.#unsubscribe.delete(roomId);
  }
}
