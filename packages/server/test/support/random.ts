/** Random choices that are the same for the same seed. */
export class Random {
  readonly seed: number;
  #state: number;

  constructor(seed: number) {
    this.seed = seed;
    this.#state = seed >>> 0;
  }

  /** At least 0 and below 1 (mulberry32). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number of at least 0 and below `limit`. */
  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T;
  }

  /** Another source, so that what runs at the same time does not disturb each other's choices. */
  fork(): Random {
    return new Random(this.below(2 ** 32));
  }
}

/** PARLOR_TEST_SEED, to see a failure again, or a new seed. */
export function seedOfRun(): number {
  return Number(process.env["PARLOR_TEST_SEED"] ?? Math.floor(Math.random() * 2 ** 32));
}
