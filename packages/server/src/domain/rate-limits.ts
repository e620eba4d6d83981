/** An allowance: so many a second in the long run, and so many at once. */
export interface Allowance {
  readonly perSecond: number;
  readonly burst: number;
}

/**
 * Token buckets after the generic cell rate algorithm: one number a key, the time at which its bucket will be full again.
 * Per node, so it holds whatever else is down.
 */
export class RateLimiter {
  readonly #clock: { now(): number };
  readonly #maxKeys: number;
  /** When each bucket is full again; a key whose time has come is like one that was never seen. */
  readonly #fullAt = new Map<string, number>();

  /** @param clock in milliseconds */
  constructor(clock: { now(): number }, maxKeys = 100_000) {
    this.#clock = clock;
    this.#maxKeys = maxKeys;
  }

  /** How many keys are remembered. */
  get size(): number {
    return this.#fullAt.size;
  }

  /** Takes one from the bucket of a key: 0 when it was there, else the milliseconds until it will be. */
  take(key: string, { perSecond, burst }: Allowance): number {
    const now = this.#clock.now();
    const interval = 1000 / perSecond;
    const known = this.#fullAt.get(key);
    // A clock that was set back must not lock anybody out for longer than an empty bucket takes.
    const fullAt = Math.min(Math.max(known ?? now, now), now + burst * interval);
    const wait = fullAt + interval - (now + burst * interval);
    if (wait > 1e-6) return Math.ceil(wait);
    if (known === undefined) this.#makeRoom(now);
    this.#fullAt.set(key, fullAt + interval);
    return 0;
  }

  /** Each new key looks at the two oldest ones, so the map shrinks as fast as it grows, without a timer. */
  #makeRoom(now: number): void {
    let looks = 2;
    for (const [key, fullAt] of this.#fullAt) {
      if (looks-- === 0) break;
      this.#fullAt.delete(key);
      if (fullAt > now && this.#fullAt.size + 1 < this.#maxKeys) this.#fullAt.set(key, fullAt);
    }
  }
}
