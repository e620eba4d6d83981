/** An allowance: so many a second in the long run, and so many at once. */
export interface Allowance {
  readonly perSecond: number;
  readonly burst: number;
}

/** Told of everything that was taken, for the other nodes. */
export type Taken = (key: string, allowance: Allowance) => void;

/**
 * Token buckets after the generic cell rate algorithm: one number a key, the time at which its bucket will be full again.
 * Each node has its own, so they hold whatever else is down; what is taken on other nodes is debited here when it is told.
 */
export class RateLimiter {
  readonly #clock: { now(): number };
  readonly #maxKeys: number;
  /** When each bucket is full again; a key whose time has come is like one that was never seen. */
  readonly #fullAt = new Map<string, number>();
  #taken: Taken = () => undefined;
  #readAt: number;
  #now = 0;

  /** @param clock in milliseconds */
  constructor(clock: { now(): number }, maxKeys = 100_000) {
    this.#clock = clock;
    this.#maxKeys = maxKeys;
    this.#readAt = clock.now();
  }

  /** Names who is told of what is taken; a later one takes its place. */
  onTaken(taken: Taken): void {
    this.#taken = taken;
  }

  /** How many keys are remembered. */
  get size(): number {
    return this.#fullAt.size;
  }

  /** Takes one from the bucket of a key: 0 when it was there, else the milliseconds until it will be. */
  take(key: string, allowance: Allowance): number {
    const { perSecond, burst } = allowance;
    const now = this.#elapsed();
    const interval = 1000 / perSecond;
    const known = this.#fullAt.get(key);
    const fullAt = Math.max(known ?? now, now);
    const wait = fullAt + interval - (now + burst * interval);
    if (wait > 1e-6) return Math.ceil(wait);
    if (known === undefined) this.#makeRoom(now);
    this.#fullAt.set(key, fullAt + interval);
    this.#taken(key, allowance);
    return 0;
  }

  /**
   * Takes what another node has given already. The bucket may go below empty, by as much as it holds: nodes that gave at the same
   * moment together gave too much, which is paid back before more is given.
   */
  debit(key: string, { perSecond, burst }: Allowance, count: number): void {
    const now = this.#elapsed();
    const interval = 1000 / perSecond;
    const known = this.#fullAt.get(key);
    if (known === undefined) this.#makeRoom(now);
    this.#fullAt.set(key, Math.min(Math.max(known ?? now, now) + count * interval, now + 2 * burst * interval));
  }

  /** The time since the beginning. It stands still while the clock is set back, so that nobody is locked out until it has caught up. */
  #elapsed(): number {
    const at = this.#clock.now();
    this.#now += Math.max(at - this.#readAt, 0);
    this.#readAt = at;
    return this.#now;
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
