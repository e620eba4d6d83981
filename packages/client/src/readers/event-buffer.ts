import type { Event, Gap, ParlorError } from "@parlor/contract";
import { bufferFull, eventsMissing } from "../errors.ts";
import { isEphemeral } from "../stream/kinds.ts";
import { callListener } from "./listeners.ts";

/**
 * What happens when a loop over events falls behind by its whole buffer. "wait": all readers of this client wait for it; what
 * comes meanwhile is not kept, but read from the rooms' logs, in order, once the buffer is half empty. "fail": this loop ends with
 * RESOURCE_EXHAUSTED, the others go on.
 */
export type WhenFull = "wait" | "fail";

export interface EventsOptions {
  /** Ends the loop. */
  readonly signal?: AbortSignal;
  /** Events kept for a slow loop; 1,000 unless given. Ephemeral events (typing, presence) are left out once it is full. */
  readonly buffer?: number;
  /** "wait" unless given. */
  readonly whenFull?: WhenFull;
  /** Told, at its place among the events, that some will not come. Without it the loop ends with DATA_LOSS there. */
  readonly onGap?: (gap: Gap) => void;
}

type Item = { readonly event: Event } | { readonly gap: Gap };
type Waiter = PromiseWithResolvers<IteratorResult<Event, undefined>>;

const DEFAULT_BUFFER = 1000;
const DONE: IteratorReturnResult<undefined> = { done: true, value: undefined };

/** The events for one `for await` loop, kept until it comes to them. */
export class EventBuffer implements AsyncIterableIterator<Event, undefined> {
  readonly #limit: number;
  readonly #options: EventsOptions;
  readonly #changed: () => void;
  readonly #waiters: Waiter[] = [];
  #items: Item[] = [];
  #congested = false;
  #end: { readonly error: ParlorError | undefined } | undefined;

  /** @param changed the buffer takes events again, or has ended */
  constructor(options: EventsOptions, changed: () => void) {
    this.#options = options;
    this.#changed = changed;
    this.#limit = Math.max(1, options.buffer ?? DEFAULT_BUFFER);
    options.signal?.addEventListener("abort", this.#abort, { once: true });
    if (options.signal?.aborted) this.#end = { error: undefined };
  }

  get ended(): boolean {
    return this.#end !== undefined;
  }

  /** Whether the others must wait. */
  get full(): boolean {
    return this.#congested && !this.ended;
  }

  event(event: Event): void {
    const crowded = this.#items.length >= this.#limit;
    if (this.ended || (crowded && isEphemeral(event))) return;
    if (crowded && this.#options.whenFull === "fail") this.end(bufferFull(`The loop over events is ${this.#limit} events behind.`));
    else this.#put({ event });
  }

  gap(gap: Gap): void {
    if (!this.ended) this.#put({ gap });
  }

  /** No more will come; what is there can still be read. */
  end(error?: ParlorError): void {
    if (this.ended) return;
    this.#end = { error };
    this.#options.signal?.removeEventListener("abort", this.#abort);
    this.#serve();
    this.#changed();
  }

  next(): Promise<IteratorResult<Event, undefined>> {
    const waiter: Waiter = Promise.withResolvers();
    this.#waiters.push(waiter);
    this.#serve();
    return waiter.promise;
  }

  return(): Promise<IteratorResult<Event, undefined>> {
    this.#abort();
    return Promise.resolve(DONE);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  readonly #abort = (): void => {
    this.#items = [];
    this.end();
  };

  #put(item: Item): void {
    this.#items.push(item);
    this.#serve();
    if (this.#items.length >= this.#limit && this.#options.whenFull !== "fail") this.#congested = true;
  }

  /** Brings together what came and who waits. */
  #serve(): void {
    while (this.#waiters.length > 0 && this.#items.length > 0) this.#hand(this.#items.shift() as Item);
    if (this.#items.length === 0 && this.ended) for (const waiter of this.#waiters.splice(0)) this.#finish(waiter);
    if (this.#congested && this.#items.length <= this.#limit / 2) {
      this.#congested = false;
      this.#changed();
    }
  }

  #hand(item: Item): void {
    if ("event" in item) this.#waiters.shift()?.resolve({ done: false, value: item.event });
    else if (this.#options.onGap !== undefined) callListener(this.#options.onGap, item.gap);
    else this.#failAt(item.gap);
  }

  #failAt({ roomId, from, to }: Gap): void {
    this.#waiters.shift()?.reject(eventsMissing(roomId, from, to));
    this.#abort();
  }

  /** An error is told once, as of any iterator. */
  #finish(waiter: Waiter): void {
    const error = this.#end?.error;
    this.#end = { error: undefined };
    if (error === undefined) waiter.resolve(DONE);
    else waiter.reject(error);
  }
}
