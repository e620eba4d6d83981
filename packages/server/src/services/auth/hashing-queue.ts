import { Reason } from "@parlor/contract";
import { exhausted } from "../../domain/refusals.ts";

export interface HashingLimits {
  /** How many hashes are computed at once. */
  readonly concurrency: number;
  /** How many more may wait. */
  readonly queue: number;
}

/**
 * Work that keeps a core busy for long: little of it at once, so that other calls keep their share of the machine, and
 * little of it waiting, so that whoever waits gets an answer in time.
 */
export class HashingQueue {
  readonly #limits: HashingLimits;
  readonly #waiting: Array<() => void> = [];
  #running = 0;
  #completed = 0;
  /** Milliseconds that one hash takes, of late. */
  #typicalMs = 250;

  constructor(limits: HashingLimits) {
    this.#limits = limits;
  }

  /** How many wait for their turn. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** How many were done since the start. */
  get completed(): number {
    return this.#completed;
  }

  /** @throws ParlorError RESOURCE_EXHAUSTED/OVERLOADED, and what the work throws */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#limits.concurrency) await this.#turn();
    else this.#running++;
    const start = performance.now();
    try {
      return await work();
    } finally {
      this.#completed++;
      this.#typicalMs += (performance.now() - start - this.#typicalMs) / 8;
      this.#next();
    }
  }

  #turn(): Promise<void> {
    if (this.#waiting.length >= this.#limits.queue) {
      const retryAfterMs = (this.#waiting.length * this.#typicalMs) / this.#limits.concurrency;
      throw exhausted(Reason.OVERLOADED, "Too many people are signing in at this moment.", retryAfterMs);
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Hands the place over to who waits longest, so that nobody who comes now can take it. */
  #next(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#running--;
  }
}
