import type { Event } from "@parlor/contract";

/** One room's log and its readers, as a fill sees them. */
export interface LogReader {
  /** The last `seq` that was delivered. */
  position(): number;
  /** The events after a `seq`, in order; none at the end of the log. */
  page(afterSeq: number, signal: AbortSignal): Promise<readonly Event[]>;
  /** Resolves when the readers take an event; undefined when they do now. */
  readersFull(): Promise<void> | undefined;
  /** Delivers the next event. */
  deliver(event: Event): void;
  /** These events are gone from the log: moves the position to `to`. */
  lost(from: number, to: number): void;
  /** The live events can be delivered again. Called at once, before another event can come. */
  caughtUp(): void;
}

/**
 * Reads what the stream did not bring of one room, or what its readers could not take, page by page and at their pace, until it
 * meets the live events. Live events of the room are not kept meanwhile: each only raises the target, and is read with the
 * rest. So memory stays at one page.
 */
export class Fill {
  readonly #log: LogReader;
  readonly #stop = new AbortController();
  #target: number;

  constructor(log: LogReader, target: number) {
    this.#log = log;
    this.#target = target;
  }

  /** An event with this `seq` came over the stream: read up to it too. */
  raise(seq: number): void {
    this.#target = Math.max(this.#target, seq);
  }

  stop(): void {
    this.#stop.abort();
  }

  get stopped(): boolean {
    return this.#stop.signal.aborted;
  }

  /** @throws what `page` throws */
  async run(): Promise<void> {
    while (!this.stopped && this.#log.position() < this.#target) {
      await this.#readersTake();
      if (!this.stopped) await this.#readPage();
    }
    if (!this.stopped) this.#log.caughtUp();
  }

  async #readPage(): Promise<void> {
    const before = this.#log.position();
    for (const event of await this.#log.page(before, this.#stop.signal)) {
      if (this.#log.readersFull() !== undefined) await this.#readersTake();
      if (this.stopped) return;
      this.#deliver(event);
    }
    if (!this.stopped && this.#log.position() === before) this.#log.lost(before + 1, this.#target);
  }

  async #readersTake(): Promise<void> {
    for (let full = this.#log.readersFull(); full !== undefined && !this.stopped; full = this.#log.readersFull()) await full;
  }

  #deliver(event: Event): void {
    const next = this.#log.position() + 1;
    if (event.seq > next) this.#log.lost(next, event.seq - 1);
    if (event.seq >= next && !this.stopped) this.#log.deliver(event);
  }
}
