import { create } from "@bufbuild/protobuf";
import { Code, type Event, type Gap, GapSchema, type ParlorError, type RoomEntered, type Welcome } from "@parlor/contract";
import { toParlorError } from "../errors.ts";
import type { Cursors } from "./cursors.ts";
import { Fills } from "./fills.ts";
import { exitedMeanwhile, roomsAfterWelcome } from "./resume.ts";

/** Where delivered events go, and what delivery needs of the stream. */
export interface DeliveryHost {
  event(event: Event): void;
  gap(gap: Gap): void;
  /** Resolves when the readers take an event; undefined when they do now. */
  readersFull(): Promise<void> | undefined;
  /** What is missing could not be read; the connection must be made anew. Calls `suspend`. */
  failed(error: ParlorError): void;
  listEvents(roomId: string, afterSeq: number, signal: AbortSignal): Promise<readonly Event[]>;
}

/** Delivers the events of each room in the order of their `seq`, each once, whatever the connection brings. */
export class Delivery {
  readonly #host: DeliveryHost;
  readonly #cursors: Cursors;
  readonly #fillGaps: boolean;
  #fills = new Fills(() => undefined);
  #live = false;
  #first = true;

  constructor(host: DeliveryHost, cursors: Cursors, fillGaps: boolean) {
    this.#host = host;
    this.#cursors = cursors;
    this.#fillGaps = fillGaps;
  }

  /** A connection is open: its events follow. */
  begin(welcome: Welcome): void {
    this.#live = true;
    this.#fills = new Fills((roomId, error) => this.#fillFailed(roomId, toParlorError(error)));
    const changes = roomsAfterWelcome(welcome, this.#cursors, this.#first);
    this.#first = false;
    for (const event of changes.events) this.#host.event(event);
    for (const gap of changes.gaps) this.#gapped(gap);
    for (const { roomId, seq } of changes.behind) if (this.#live) this.#startFill(roomId, seq);
  }

  /** The connection is gone; the next one resumes from the cursors. */
  suspend(): void {
    this.#live = false;
    this.#fills.endAll();
  }

  /** Forgets every room, for another user. */
  forget(): void {
    this.suspend();
    this.#cursors.clear();
    this.#first = true;
  }

  /** Events as the connection brought them. */
  take(events: readonly Event[]): void {
    for (const event of events) {
      // A listener may have closed the client.
      if (!this.#live) return;
      if (event.seq === 0) this.#personal(event);
      else this.#durable(event);
    }
  }

  /** What the connection will not bring, though its welcome said so. */
  miss(gaps: readonly Gap[]): void {
    for (const { roomId, from, to } of gaps) {
      const { seq } = this.#cursors.get(roomId) ?? { seq: to };
      // A fill that is under way finds out by itself.
      if (to > seq && this.#fills.get(roomId) === undefined) this.#gapped(create(GapSchema, { roomId, from: Math.max(from, seq + 1), to }));
    }
  }

  #durable(event: Event): void {
    const { roomId, seq } = event;
    const fill = this.#fills.get(roomId);
    if (fill !== undefined) fill.raise(seq);
    else this.#next(event);
  }

  /** An event of a room that has no fill under way. */
  #next(event: Event): void {
    const { roomId, seq } = event;
    const position = this.#positionBefore(event);
    if (seq <= position) return;
    // What comes while the readers are full is read from the log once they are not, like what did not come at all.
    if (seq > position + 1 || this.#host.readersFull() !== undefined) this.#startFill(roomId, seq);
    else this.#deliver(event);
  }

  /** A room that was entered just now begins with its first event, whatever its `seq`. */
  #positionBefore({ roomId, seq }: Event): number {
    const place = this.#cursors.get(roomId);
    if (place !== undefined && !(place.fresh && seq <= place.seq)) return place.seq;
    this.#cursors.advance(roomId, seq - 1);
    return seq - 1;
  }

  #deliver(event: Event): void {
    this.#cursors.advance(event.roomId, event.seq);
    this.#host.event(event);
  }

  /** Ephemeral ones too. There are few of those that matter, so that full readers take them all the same. */
  #personal(event: Event): void {
    const { roomId, kind } = event;
    if (kind.case === "roomEntered") this.#entered(roomId, kind.value);
    else if (kind.case === "readMarked") this.#cursors.markRead(roomId, kind.value.readSeq);
    if (kind.case === "roomExited") this.#exited(event);
    else this.#host.event(event);
  }

  #entered(roomId: string, { room }: RoomEntered): void {
    if (this.#cursors.get(roomId) !== undefined || room?.room === undefined) return;
    this.#cursors.enter(roomId, { seq: room.room.lastSeq, readSeq: room.readSeq, fresh: true });
  }

  /** Told once, whether by the stream, by a welcome or by a log that cannot be read any more. */
  #exited(event: Event): void {
    this.#fills.end(event.roomId);
    if (this.#cursors.leave(event.roomId)) this.#host.event(event);
  }

  #gapped(gap: Gap): void {
    if (!this.#live) return;
    if (this.#fillGaps) this.#startFill(gap.roomId, gap.to);
    else this.#lost(gap);
  }

  #lost(gap: Gap): void {
    this.#cursors.advance(gap.roomId, gap.to);
    this.#host.gap(gap);
  }

  #startFill(roomId: string, target: number): void {
    this.#fills.start(roomId, target, {
      position: () => this.#cursors.get(roomId)?.seq ?? 0,
      page: (afterSeq, signal) => this.#host.listEvents(roomId, afterSeq, signal),
      readersFull: () => this.#host.readersFull(),
      deliver: (event) => this.#deliver(event),
      lost: (from, to) => this.#lost(create(GapSchema, { roomId, from, to })),
      caughtUp: () => this.#fills.end(roomId),
    });
  }

  #fillFailed(roomId: string, error: ParlorError): void {
    if (error.code === Code.NOT_FOUND) this.#exited(exitedMeanwhile(roomId));
    else this.#host.failed(error);
  }
}
