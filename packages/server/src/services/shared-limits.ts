import type { Allowance, RateLimiter } from "../domain/rate-limits.ts";
import type { Bus } from "../ports/bus.ts";
import { publishWord, subscribeWords } from "../ports/words.ts";

const topic = "limits";
/** What is taken within this time goes to the other nodes together (milliseconds). */
const gatherMs = 50;

/** What one node gave: for each allowance, how often by key. */
type Given = ReadonlyArray<readonly [Allowance, ReadonlyArray<readonly [key: string, count: number]>]>;

/**
 * Makes the allowances of a rate limiter count over all nodes: each tells what it gave, the others debit their buckets. What is
 * given at the same moment on several nodes may be too much together; it is paid back. While the bus is down every node's own
 * buckets hold. Ends with the bus.
 */
export class SharedLimits {
  readonly #bus: Bus;
  readonly #limiter: RateLimiter;
  /** What was taken and not told yet. */
  readonly #taken = new Map<Allowance, Map<string, number>>();
  #timer: NodeJS.Timeout | undefined;

  constructor(bus: Bus, limiter: RateLimiter) {
    this.#bus = bus;
    this.#limiter = limiter;
  }

  start(): void {
    // What was lost is not asked for again: within a moment the buckets would be full again without it.
    subscribeWords<Given>(
      this.#bus,
      topic,
      (given) => this.#debit(given),
      () => undefined,
    );
    this.#limiter.onTaken((key, allowance) => this.#note(key, allowance));
  }

  /** On the way of every call: no more than two look-ups. */
  #note(key: string, allowance: Allowance): void {
    let counts = this.#taken.get(allowance);
    if (!counts) {
      counts = new Map();
      this.#taken.set(allowance, counts);
    }
    counts.set(key, (counts.get(key) ?? 0) + 1);
    this.#timer ??= setTimeout(() => this.#tell(), gatherMs).unref();
  }

  #tell(): void {
    this.#timer = undefined;
    const given: Given = [...this.#taken].map(([allowance, counts]) => [allowance, [...counts]]);
    this.#taken.clear();
    publishWord(this.#bus, topic, given);
  }

  #debit(given: Given): void {
    for (const [allowance, counts] of given) {
      for (const [key, count] of counts) this.#limiter.debit(key, allowance, count);
    }
  }
}
