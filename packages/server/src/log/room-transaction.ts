import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { type Event, EventSchema } from "@parlor/contract";
import type { Kysely } from "kysely";
import type { Caller } from "../domain/call.ts";
import type { Standing } from "../domain/permissions.ts";
import { notExisting } from "../domain/refusals.ts";
import { RoomEvent } from "../domain/room-event.ts";
import { type MemberPolicy, RoomPolicy } from "../domain/room-policy.ts";
import type { RoomHead } from "../store/append.ts";
import type { EventRow } from "../store/events.ts";
import { findMember } from "../store/members.ts";
import { type RoomRow, updateRoom } from "../store/rooms.ts";
import type { Schema } from "../store/schema.ts";
import { memberPolicy, rulesOf } from "./views.ts";

export type EventKind = Event["kind"];

interface Draft {
  readonly event: RoomEvent;
  readonly messageSeq: number | null;
}

/** Where a transaction found a room. */
export interface RoomPlace {
  readonly roomId: string;
  /** Left out when there is no such room, and when only memory was asked. */
  readonly row?: RoomRow | undefined;
  readonly lastSeq: number;
  /** Left out when there is no such room. */
  readonly policy?: RoomPolicy | undefined;
}

/** What one transaction does to one room: the room as it is now, and the events added so far. */
export class RoomTransaction {
  readonly roomId: string;
  readonly store: Kysely<Schema>;
  readonly now: Date;
  readonly #firstSeq: number;
  #lastSeq: number;
  #row: RoomRow | undefined;
  #policy: RoomPolicy | undefined;
  #drafts: Draft[] = [];

  constructor(store: Kysely<Schema>, now: Date, { roomId, row, lastSeq, policy }: RoomPlace) {
    this.roomId = roomId;
    this.store = store;
    this.now = now;
    this.#firstSeq = this.#lastSeq = lastSeq;
    this.#row = row;
    this.#policy = policy;
  }

  /** The room. @throws ParlorError NOT_FOUND when there is none */
  get row(): RoomRow {
    if (!this.#row) throw notExisting();
    return { ...this.#row, last_seq: this.#lastSeq };
  }

  get exists(): boolean {
    return this.#policy !== undefined;
  }

  /** The newest `seq`, with what was added. */
  get lastSeq(): number {
    return this.#lastSeq;
  }

  get policy(): RoomPolicy {
    if (!this.#policy) throw notExisting();
    return this.#policy;
  }

  get events(): RoomEvent[] {
    return this.#drafts.map((draft) => draft.event);
  }

  get eventRows(): EventRow[] {
    return this.#drafts.map(({ event, messageSeq }) => ({
      room_id: this.roomId,
      seq: event.seq,
      event: event.binary,
      message_seq: messageSeq,
    }));
  }

  get head(): RoomHead {
    return { id: this.roomId, previous_seq: this.#firstSeq, last_seq: this.#lastSeq, policy_seq: this.policy.seq };
  }

  async member(userId: string): Promise<MemberPolicy | null> {
    const known = this.policy.member(userId);
    if (known !== undefined) return known;
    const member = memberPolicy(await findMember(this.store, this.roomId, userId));
    this.policy.learn(userId, member);
    return member;
  }

  /** @throws ParlorError NOT_FOUND when there is no room, or none any more: it may have been deleted earlier in this transaction */
  async standing(caller: Pick<Caller, "role" | "userId">): Promise<Standing> {
    if (this.policy.deleted) throw notExisting();
    return { caller, member: await this.member(caller.userId), rules: this.policy.rules };
  }

  /** Begins the log of a new room, whose row the caller has inserted with `last_seq` 0. */
  begin(row: RoomRow): void {
    this.#row = row;
    this.#policy = new RoomPolicy(rulesOf(row), 0);
  }

  /** Changes columns of the room. */
  async update(change: Partial<RoomRow>): Promise<void> {
    await updateRoom(this.store, this.roomId, change);
    this.#row = { ...this.row, ...change };
  }

  /** Adds an event; returns its `seq`. `messageSeq`: for events about an earlier message. */
  append(actorId: string, kind: EventKind, messageSeq: number | null = null): number {
    const seq = ++this.#lastSeq;
    const event = create(EventSchema, { roomId: this.roomId, seq, at: timestampFromDate(this.now), actorId, kind });
    this.policy.apply(event);
    this.#drafts.push({ event: RoomEvent.of(event), messageSeq });
    return seq;
  }

  /** Takes the text out of what this transaction has added about a message; `without` gives an event without it. */
  redact(messageSeq: number, without: (event: Event) => Event): void {
    this.#drafts = this.#drafts.map((draft) =>
      draft.messageSeq === messageSeq ? { ...draft, event: RoomEvent.of(without(draft.event.event)) } : draft,
    );
  }

  /** Remembers the state; the returned function goes back to it. What was stored is not its affair. */
  checkpoint(): () => void {
    const [row, lastSeq, policy, drafts] = [this.#row, this.#lastSeq, this.#policy, [...this.#drafts]];
    this.#policy = policy?.fork();
    return () => {
      this.#row = row;
      this.#lastSeq = lastSeq;
      this.#policy = policy;
      this.#drafts = drafts;
    };
  }
}
