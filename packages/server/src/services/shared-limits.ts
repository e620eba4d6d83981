import { isCount, isListOf, isRecord, isShort } from "../domain/checks.ts";
import type { Allowance, RateLimiter } from "../domain/rate-limits.ts";
import type { Bus } from "../ports/bus.ts";
import { publishWord, subscribeWords } from "../ports/words.ts";

const topic = "limits";
/** What is taken within this time goes to the other nodes together (milliseconds). */
const gatherMs = 50;

/** What one node gave: for each allowance, how often by key. */
type Taken = readonly [key: string, count: number];
type Given = readonly [Allowance, readonly Taken[]];

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
    subscribeWords(
      this.#bus,
      topic,
      isListOfGiven,
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
    const given: Given[] = [...this.#taken].map(([allowance, counts]) => [allowance, [...counts]]);
    this.#taken.clear();
    publishWord(this.#bus, topic, given);
  }

  #debit(given: readonly Given[]): void {
    for (const [allowance, counts] of given) {
      for (const [key, count] of counts) this.#limiter.debit(key, allowance, count);
    }
  }
}

function isListOfGiven(value: unknown): value is Given[] {
  return isListOf(value, isGiven);
}

function isGiven(value: unknown): value is Given {
  return Array.isArray(value) && isAllowance(value[0]) && isListOf(value[1], isTaken);
}

function isAllowance(value: unknown): value is Allowance {
  return isRecord(value) && isPositive(value["perSecond"]) && isPositive(value["burst"]);
}

function isTaken(value: unknown): value is Taken {
  return Array.isArray(value) && isShort(value[0]) && isCount(value[1]);
}

function isPositive(value: unknown): value is number {
  return typeof value === "number" && value > 1e-6 && value < 1e9;
}
