import { RoomEvent } from "../domain/room-event.ts";

/** The newest events of a room, without holes, bounded in number and in encoded bytes. */
export class Ring {
  readonly #maxEvents: number;
  readonly #maxBytes: number;
  #events: RoomEvent[] = [];
  /** How many at the front of `#events` are already given up. */
  #start = 0;
  #bytes = 0;

  constructor(maxEvents: number, maxBytes: number) {
    this.#maxEvents = maxEvents;
    this.#maxBytes = maxBytes;
  }

  push(event: RoomEvent): void {
    // Only the bytes are kept. The event's other forms serve those who are here now; held for whoever comes back, they would be most
    // of the ring's memory.
    this.#events.push(RoomEvent.stored(event.roomId, event.seq, event.binary));
    this.#bytes += event.binary.length;
    while (this.#events.length - this.#start > this.#maxEvents || this.#bytes > this.#maxBytes) this.#drop();
  }

  /** The events from a `seq` to the newest; undefined when the first of them is no longer here. `head`: the newest `seq`. */
  from(seq: number, head: number): RoomEvent[] | undefined {
    if (seq > head) return [];
    const first = head - (this.#events.length - this.#start) + 1;
    return seq < first ? undefined : this.#events.slice(this.#start + seq - first);
  }

  /** Gives up what is before a `seq`. `head`: the newest `seq`. */
  trim(seq: number, head: number): void {
    while (this.#start < this.#events.length && head - (this.#events.length - this.#start) + 1 < seq) this.#drop();
  }

  #drop(): void {
    this.#bytes -= (this.#events[this.#start] as RoomEvent).binary.length;
    this.#start++;
    // Moving the rest for each event given up would cost as much as the ring is long.
    if (this.#start > this.#maxEvents) {
      this.#events = this.#events.slice(this.#start);
      this.#start = 0;
    }
  }
}
