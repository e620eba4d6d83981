import type { SessionCursor } from "../../realtime/durable-session.ts";
import { beginningOf, packetIdFrom, packetIdOf, stepsBetween } from "./packet-ids.ts";

/** One room's part: what was sent and not acknowledged is `acked + 1` to `sent`, but for those in `early`. */
interface Progress {
  readonly roomId: string;
  /** Where its packet identifiers begin. */
  readonly beginning: number;
  /** Everything up to here is acknowledged: the cursor. */
  acked: number;
  sent: number;
  /** Acknowledged out of turn. */
  early: Set<number> | undefined;
  /** This room and no other: for most clients it is all that is ever busy, and is not to be made for each delivery. */
  readonly alone: Progress[];
}

/** Told of each room whose cursor moved. */
export interface CursorWatcher {
  moved(roomId: string): void;
}

// Most clients acknowledge nothing, and have nothing of their own here.
const noRooms: ReadonlyMap<string, Progress> = new Map();
const none: readonly Progress[] = [];

/** What was sent with QoS 1 and is not acknowledged (MQTT 5, section 4.9), as a range of each room's log. */
export class InFlight {
  /** Most unacknowledged events at a time. */
  readonly limit: number;
  #rooms: Map<string, Progress> | undefined;
  /** The room that was last asked for: most clients have but one, and are asked for it many times a delivery. */
  #last: Progress | undefined;
  /** Those with something unacknowledged. */
  #busy = none;
  #unacked = 0;

  constructor(limit: number) {
    this.limit = limit;
  }

  get unacked(): number {
    return this.#unacked;
  }

  /** The acknowledged `seq` of a room; undefined while nothing is known of it. */
  cursor(roomId: string): number | undefined {
    return this.#of(roomId)?.acked;
  }

  sent(roomId: string): number {
    return this.#of(roomId)?.sent ?? 0;
  }

  cursors(): Iterable<readonly [string, SessionCursor]> {
    return this.#rooms ?? noRooms;
  }

  /** Sets where a room begins. */
  begin(roomId: string, acked: number): void {
    this.forget(roomId);
    this.#enter(roomId, acked);
  }

  forget(roomId: string): void {
    const progress = this.#of(roomId);
    if (!progress) return;
    this.#unacked -= progress.sent - progress.acked - (progress.early?.size ?? 0);
    this.#rest(progress);
    this.#rooms?.delete(roomId);
    this.#last = undefined;
  }

  /** How many events may be sent from this one on: none of them may have the identifier of another room's that is in flight. */
  sizeFor(roomId: string, seq: number): number {
    let size = Math.max(0, this.limit - this.#unacked);
    for (const other of this.#busy) {
      if (other.roomId === roomId) continue;
      const id = packetIdOf(roomId, seq);
      const first = packetIdFrom(other.beginning, other.acked + 1);
      const past = stepsBetween(first, id) < other.sent - other.acked;
      size = past ? 0 : Math.min(size, stepsBetween(id, first));
    }
    return size;
  }

  /** Events of a room were sent, up to the last of them. */
  put(roomId: string, first: number, last: number): void {
    let progress = this.#of(roomId);
    // After a time in which one was not in the room, its log goes on elsewhere.
    if (progress && first > progress.sent + 1) this.forget(roomId);
    if (!progress || first > progress.sent + 1) progress = this.#enter(roomId, first - 1);
    if (progress.acked === progress.sent) this.#busy = this.#busy.length === 0 ? progress.alone : [...this.#busy, progress];
    this.#unacked += last - progress.sent;
    progress.sent = last;
  }

  /** So many identifiers were acknowledged, one after the other from the first. Those that are not in flight are passed over. */
  acknowledge(first: number, count: number, watcher?: CursorWatcher): void {
    for (let done = 0; done < count; ) done += this.#acknowledge(first + done, count - done, watcher) || 1;
  }

  /** An event needs no acknowledgement any more. */
  settle(roomId: string, seq: number): void {
    const progress = this.#of(roomId);
    if (progress) this.#settle(progress, seq);
  }

  #of(roomId: string): Progress | undefined {
    if (this.#last?.roomId !== roomId) this.#last = this.#rooms?.get(roomId);
    return this.#last;
  }

  /** Returns how many of the identifiers are those of one room. */
  #acknowledge(first: number, count: number, watcher: CursorWatcher | undefined): number {
    for (const progress of this.#busy) {
      const seq = progress.acked + 1 + stepsBetween(packetIdFrom(progress.beginning, progress.acked + 1), first);
      const settled = Math.min(count, progress.sent - seq + 1);
      if (settled <= 0) continue;
      if (this.#settleRun(progress, seq, settled)) watcher?.moved(progress.roomId);
      return settled;
    }
    return 0;
  }

  /** Says whether the cursor moved. Most clients acknowledge in order: then a run is one step. */
  #settleRun(progress: Progress, first: number, count: number): boolean {
    const before = progress.acked;
    if (first === before + 1 && !progress.early) {
      this.#unacked -= count;
      this.#advance(progress, before + count);
    } else for (let seq = first; seq < first + count; seq++) this.#settle(progress, seq);
    return progress.acked > before;
  }

  #settle(progress: Progress, seq: number): void {
    if (seq <= progress.acked || seq > progress.sent || progress.early?.has(seq)) return;
    this.#unacked--;
    if (seq === progress.acked + 1) this.#advance(progress, seq);
    else {
      progress.early ??= new Set();
      progress.early.add(seq);
    }
  }

  #advance(progress: Progress, acked: number): void {
    progress.acked = acked;
    while (progress.early?.delete(progress.acked + 1)) progress.acked++;
    if (progress.early?.size === 0) progress.early = undefined;
    if (progress.acked === progress.sent) this.#rest(progress);
  }

  #enter(roomId: string, acked: number): Progress {
    const progress: Progress = { roomId, beginning: beginningOf(roomId), acked, sent: acked, early: undefined, alone: [] };
    progress.alone.push(progress);
    this.#rooms ??= new Map();
    this.#rooms.set(roomId, progress);
    this.#last = progress;
    return progress;
  }

  #rest(progress: Progress): void {
    if (this.#busy === progress.alone) this.#busy = none;
    else this.#busy = this.#busy.filter((other) => other !== progress);
  }
}
