import { packetIdOf, packetIds, stepsBetween } from "./packet-ids.ts";

/** One room's part: what was sent and not acknowledged is `acked + 1` to `sent`, but for those in `early`. */
interface Progress {
  /** Everything up to here is acknowledged: the cursor. */
  acked: number;
  sent: number;
  /** Acknowledged out of turn. */
  early: Set<number> | undefined;
}

/** What was sent with QoS 1 and is not acknowledged (MQTT 5, section 4.9), as a range of each room's log. */
export class InFlight {
  /** Most unacknowledged events at a time. */
  readonly limit: number;
  readonly #rooms = new Map<string, Progress>();
  /** Those with something unacknowledged. */
  readonly #busy = new Map<string, Progress>();
  #unacked = 0;

  constructor(limit: number) {
    this.limit = limit;
  }

  get unacked(): number {
    return this.#unacked;
  }

  /** The acknowledged `seq` of a room; undefined while nothing is known of it. */
  cursor(roomId: string): number | undefined {
    return this.#rooms.get(roomId)?.acked;
  }

  sent(roomId: string): number {
    return this.#rooms.get(roomId)?.sent ?? 0;
  }

  cursors(): Iterable<readonly [string, { readonly acked: number; readonly sent: number }]> {
    return this.#rooms;
  }

  /** Sets where a room begins. */
  begin(roomId: string, acked: number): void {
    this.forget(roomId);
    this.#rooms.set(roomId, { acked, sent: acked, early: undefined });
  }

  forget(roomId: string): void {
    const progress = this.#busy.get(roomId);
    if (progress) this.#unacked -= progress.sent - progress.acked - (progress.early?.size ?? 0);
    this.#busy.delete(roomId);
    this.#rooms.delete(roomId);
  }

  /** How many events may be sent from this one on: none of them may have the identifier of another room's that is in flight. */
  sizeFor(roomId: string, seq: number): number {
    let size = Math.max(0, this.limit - this.#unacked);
    if (this.#busy.size === 0) return size;
    const id = packetIdOf(roomId, seq);
    for (const [other, { acked, sent }] of this.#busy) {
      if (other === roomId) continue;
      const toFirst = stepsBetween(id, packetIdOf(other, acked + 1));
      const past = stepsBetween(packetIdOf(other, acked + 1), id) < sent - acked;
      size = past ? 0 : Math.min(size, toFirst);
    }
    return size;
  }

  /** Events of a room were sent, up to the last of them. */
  put(roomId: string, first: number, last: number): void {
    let progress = this.#rooms.get(roomId);
    // After a time in which one was not in the room, its log goes on elsewhere.
    if (progress && first > progress.sent + 1) this.forget(roomId);
    progress = this.#rooms.get(roomId);
    if (!progress) {
      progress = { acked: first - 1, sent: first - 1, early: undefined };
      this.#rooms.set(roomId, progress);
    }
    this.#unacked += last - progress.sent;
    progress.sent = last;
    this.#busy.set(roomId, progress);
  }

  /** An identifier was acknowledged: the room whose cursor moved, if one did. One that is not in flight is passed over. */
  acknowledge(packetId: number): string | undefined {
    for (const [roomId, progress] of this.#busy) {
      const seq = progress.acked + 1 + stepsBetween(packetIdOf(roomId, progress.acked + 1), packetId);
      if (packetId <= packetIds && seq <= progress.sent) return this.settle(roomId, seq) ? roomId : undefined;
    }
    return undefined;
  }

  /** An event needs no acknowledgement any more. Says whether the cursor moved. */
  settle(roomId: string, seq: number): boolean {
    const progress = this.#busy.get(roomId);
    if (!progress || seq <= progress.acked || seq > progress.sent || progress.early?.has(seq)) return false;
    this.#unacked--;
    if (seq > progress.acked + 1) {
      progress.early ??= new Set();
      progress.early.add(seq);
      return false;
    }
    progress.acked = seq;
    while (progress.early?.delete(progress.acked + 1)) progress.acked++;
    if (progress.acked === progress.sent) {
      progress.early = undefined;
      this.#busy.delete(roomId);
    }
    return true;
  }
}
