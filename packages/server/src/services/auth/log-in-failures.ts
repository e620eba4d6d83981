import { hash } from "node:crypto";
import { Reason } from "@parlor/contract";
import { addressKey } from "../../domain/addresses.ts";
import { BoundedMap } from "../../domain/bounded-map.ts";
import { isRecord, isShort } from "../../domain/checks.ts";
import { exhausted } from "../../domain/refusals.ts";
import type { Bus } from "../../ports/bus.ts";
import type { Clock } from "../../ports/clock.ts";
import { publishWord, subscribeWords } from "../../ports/words.ts";

export interface FailureLimits {
  /** Off: nothing is counted. */
  readonly rateLimits: boolean;
  readonly logInFailures: number;
  readonly logInWindowMs: number;
}

/** One attempt to give a password. */
export interface Attempt {
  /** The attempt was right: what failed before no longer counts. */
  succeeded(): void;
}

/** What nodes tell each other: an attempt began, or was right. */
interface Word {
  readonly key: string;
  readonly succeeded?: true;
}

const topic = "log-ins";

/**
 * Failed attempts per account and address, on every protocol and every node together. Since the address counts, nobody can lock an owner
 * out from elsewhere; since accounts that do not exist count alike, a lock tells nothing.
 *
 * An attempt counts as failed from its beginning, so that attempts at the same moment cannot slip through together. What
 * other nodes tell is added to what this one counts; while the bus is down each node counts by itself.
 */
export class LogInFailures {
  readonly #clock: Clock;
  readonly #limits: FailureLimits;
  readonly #bus: Bus;
  readonly #failures = new BoundedMap<string, number[]>(100_000);

  constructor(bus: Bus, clock: Clock, limits: FailureLimits) {
    this.#bus = bus;
    this.#clock = clock;
    this.#limits = limits;
    const apply = (word: Word): void => this.#apply(word);
    if (limits.rateLimits) subscribeWords(bus, topic, isWord, apply, () => undefined);
  }

  /** @throws ParlorError RESOURCE_EXHAUSTED/TOO_MANY_ATTEMPTS */
  begin(username: string, address: string): Attempt {
    if (!this.#limits.rateLimits) return { succeeded() {} };
    const key = keyOf(username, address);
    this.#refuseOver(this.#recent(key));
    this.#tell({ key });
    return { succeeded: () => this.#tell({ key, succeeded: true }) };
  }

  /** The same refusal without counting, for what is not worth beginning. @throws ParlorError as begin */
  check(username: string, address: string): void {
    if (this.#limits.rateLimits) this.#refuseOver(this.#recent(keyOf(username, address)));
  }

  #tell(word: Word): void {
    this.#apply(word);
    publishWord(this.#bus, topic, word);
  }

  #apply({ key, succeeded }: Word): void {
    if (succeeded) this.#failures.delete(key);
    // More than are allowed need not be remembered: the newest decide how long to wait.
    else this.#failures.set(key, [...this.#recent(key), this.#clock.now()].slice(-this.#limits.logInFailures));
  }

  #recent(key: string): number[] {
    const since = this.#clock.now() - this.#limits.logInWindowMs;
    return (this.#failures.get(key) ?? []).filter((at) => at > since);
  }

  #refuseOver(recent: readonly number[]): void {
    if (recent.length < this.#limits.logInFailures) return;
    const oldest = recent[recent.length - this.#limits.logInFailures] as number;
    const retryAfterMs = oldest + this.#limits.logInWindowMs - this.#clock.now();
    throw exhausted(Reason.TOO_MANY_ATTEMPTS, "Too many failed log-ins.", Math.max(retryAfterMs, 1));
  }
}

function isWord(value: unknown): value is Word {
  return isRecord(value) && isShort(value["key"]) && (value["succeeded"] === undefined || value["succeeded"] === true);
}

/** Hashed, since others may read the bus. */
function keyOf(username: string, address: string): string {
  return hash("sha256", JSON.stringify([username, addressKey(address)]), "base64url");
}
