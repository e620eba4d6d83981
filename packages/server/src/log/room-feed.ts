import type { Kysely } from "kysely";
import { isRepeat } from "../domain/publication-key.ts";
import { RoomEvent } from "../domain/room-event.ts";
import type { MemberPolicy, RoomPolicy } from "../domain/room-policy.ts";
import { eventsAfter } from "../store/events.ts";
import { findMember } from "../store/members.ts";
import { roomHeads } from "../store/rooms.ts";
import type { Schema } from "../store/schema.ts";
import { Ring } from "./ring.ts";
import { memberPolicy } from "./views.ts";

/** Who follows a feed: told of every new event, in order, once, at the moment it is known to be committed. */
export type FeedObserver = (feed: RoomFeed, events: readonly RoomEvent[]) => void;

/** How long a room in which several nodes write is written to under its lock (milliseconds). */
const outrunMs = 1000;

export interface FeedLimits {
  readonly ringEvents: number;
  readonly ringBytes: number;
  /** Events per page when the Store is read. */
  readonly pageSize: number;
}

/**
 * One room's log as this node knows it: its end, its newest events, and who may do what. Commits of this node and hints of
 * others come in by `accept` in any order and any number; observers get each event once and in order. Where a hint is
 * missing, the Store is read.
 */
export class RoomFeed {
  readonly roomId: string;
  policy: RoomPolicy;
  /** The newest `seq` known. */
  head: number;
  /** Kept by Feeds: above zero, the feed stays in memory. */
  pins = 0;
  /** Kept by Feeds: when it was last asked for (performance.now). */
  usedAt = performance.now();
  /** When this node last heard of a message that its author may have sent before (`publicationKey`; milliseconds since 1970). */
  repeatHeardAt = Date.now();
  readonly #store: Kysely<Schema>;
  readonly #limits: FeedLimits;
  #ring: Ring;
  readonly #observe: FeedObserver;
  readonly #reportFault: (error: unknown) => void;
  /** The end of the log as far as anyone has said; above `head` while the Store is being read. */
  #target: number;
  #healing: Promise<void> | undefined;
  #outrunUntil = 0;

  constructor(
    place: { readonly roomId: string; readonly head: number; readonly policy: RoomPolicy },
    context: {
      readonly store: Kysely<Schema>;
      readonly limits: FeedLimits;
      readonly observe: FeedObserver;
      readonly reportFault: (error: unknown) => void;
    },
  ) {
    this.roomId = place.roomId;
    this.head = place.head;
    this.#target = place.head;
    this.policy = place.policy;
    this.#store = context.store;
    this.#limits = context.limits;
    this.#observe = context.observe;
    this.#reportFault = context.reportFault;
    this.#ring = new Ring(context.limits.ringEvents, context.limits.ringBytes);
  }

  /** Takes committed events, in rising `seq`. Those known already are passed over; a hole is filled from the Store. */
  accept(events: readonly RoomEvent[]): void {
    const fresh = events.filter((event) => event.seq > this.head);
    const last = fresh.at(-1);
    if (!last) return;
    if (this.#healing || fresh[0]?.seq !== this.head + 1) void this.catchUp(last.seq);
    else this.#append(fresh);
  }

  /** Reads the Store until `seq` is reached. A failure is reported; the next hint or head check tries again. */
  catchUp(seq: number): Promise<void> {
    this.#target = Math.max(this.#target, seq);
    if (this.head >= this.#target) return Promise.resolve();
    this.#healing ??= this.#heal()
      .catch((error: unknown) => this.#reportFault(error))
      .finally(() => {
        this.#healing = undefined;
      });
    return this.#healing;
  }

  /**
   * Whether the log goes as far as `seq`; afterwards the feed does. Beyond the head the Store is asked: another node may have
   * told of events that this one has not heard of yet.
   */
  async reaches(seq: number): Promise<boolean> {
    if (seq <= this.head) return true;
    const [end] = await roomHeads(this.#store, [this.roomId]);
    if (!end || end.last_seq < seq) return seq <= this.head;
    await this.catchUp(end.last_seq);
    if (seq > this.head) throw new Error(`The log of room ${this.roomId} could not be read up to ${seq}.`);
    return true;
  }

  /** The room was deleted: tells what can still be read of its end, and that it is over. A failure is reported. */
  async finish(): Promise<void> {
    try {
      await this.#healing;
      // Its content may be half removed already.
      for (let rest = await this.#rest(); rest.length > 0 && rest[0]?.seq === this.head + 1; rest = await this.#rest()) this.#append(rest);
      if (this.policy.deleted) return;
      this.policy.deleted = true;
      this.#observe(this, []);
    } catch (error) {
      this.#reportFault(error);
    }
  }

  /** Whether, as far as this node can know, the head is the end of the log; not so for a while after others were faster. */
  get isCurrent(): boolean {
    return this.#healing === undefined && performance.now() >= this.#outrunUntil;
  }

  /** Another node has added to the log before this one: for a while, the Store is to be asked first. */
  outrun(): void {
    this.#outrunUntil = performance.now() + outrunMs;
  }

  /** The events after a `seq` up to the head, if all of them are still in memory. */
  recent(seq: number): RoomEvent[] | undefined {
    return this.#ring.from(seq + 1, this.head);
  }

  /** The log has nothing before this `seq` any more. */
  trim(firstSeq: number): void {
    this.#ring.trim(firstSeq, this.head);
  }

  /** A page of the log after a `seq`, from the Store. */
  async page(seq: number, limit: number = this.#limits.pageSize): Promise<RoomEvent[]> {
    const rows = await eventsAfter(this.#store, this.roomId, seq, limit);
    return rows.map((row) => RoomEvent.stored(this.roomId, row.seq, row.event));
  }

  /** What a person may do here; null for someone who is not a member. Read once, then kept true by the log. */
  async member(userId: string): Promise<MemberPolicy | null> {
    for (;;) {
      const policy = this.policy;
      const known = policy.member(userId);
      if (known !== undefined) return known;
      const { seq } = policy;
      const row = await findMember(this.#store, this.roomId, userId);
      // A change that committed meanwhile may have been read or not: ask again.
      if (this.policy !== policy || policy.seq !== seq) continue;
      const member = memberPolicy(row);
      policy.learn(userId, member);
      return member;
    }
  }

  /** The next page of the log, if the room goes on and nothing is missing in it. */
  async #rest(): Promise<RoomEvent[]> {
    const rest = this.policy.deleted ? [] : await this.page(this.head);
    return rest.every(({ seq }, i) => seq === (rest[0]?.seq ?? 0) + i) ? rest : [];
  }

  async #heal(): Promise<void> {
    while (this.head < this.#target) {
      const events = await this.page(this.head);
      if (events[0]?.seq !== this.head + 1) throw this.#missing();
      this.#append(events);
    }
  }

  /** Whoever announced it may have been no node: it is not looked for again until somebody announces it again. */
  #missing(): Error {
    const announced = this.#target;
    this.#target = this.head;
    return new Error(`The log of room ${this.roomId} has no event ${this.head + 1}, though ${announced} was announced.`);
  }

  #append(events: readonly RoomEvent[]): void {
    for (const event of events) {
      this.policy.apply(event.event);
      if (holdsRepeat(event)) this.repeatHeardAt = Date.now();
      // The text of a deleted message was taken out of the Store; memory must not give it away either.
      if (event.event.kind.case === "messageDeleted") this.#ring = new Ring(this.#limits.ringEvents, this.#limits.ringBytes);
      this.#ring.push(event);
    }
    this.head = events.at(-1)?.seq ?? this.head;
    this.#target = Math.max(this.#target, this.head);
    this.#observe(this, events);
  }
}

function holdsRepeat({ event: { kind } }: RoomEvent): boolean {
  return kind.case === "messageSent" && isRepeat(kind.value.message?.clientMessageId ?? "");
}
