import { Reason } from "@parlor/contract";
import { addressKey } from "../../domain/addresses.ts";
import { BoundedMap } from "../../domain/bounded-map.ts";
import { exhausted } from "../../domain/refusals.ts";
import type { Clock } from "../../ports/clock.ts";

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

/**
 * Failed attempts per account and address, on every protocol together. Since the address counts, nobody can lock an owner
 * out from elsewhere; since accounts that do not exist count alike, a lock tells nothing.
 *
 * An attempt counts as failed from its beginning, so that attempts at the same moment cannot slip through together.
 */
export class LogInFailures {
  readonly #clock: Clock;
  readonly #limits: FailureLimits;
  readonly #failures = new BoundedMap<string, number[]>(100_000);

  constructor(clock: Clock, limits: FailureLimits) {
    this.#clock = clock;
    this.#limits = limits;
  }

  /** @throws ParlorError RESOURCE_EXHAUSTED/TOO_MANY_ATTEMPTS */
  begin(username: string, address: string): Attempt {
    if (!this.#limits.rateLimits) return { succeeded() {} };
    const key = keyOf(username, address);
    const recent = this.#recent(key);
    this.#refuseOver(recent);
    this.#failures.set(key, [...recent, this.#clock.now()]);
    return { succeeded: () => this.#failures.delete(key) };
  }

  /** The same refusal without counting, for what is not worth beginning. @throws ParlorError as begin */
  check(username: string, address: string): void {
    if (this.#limits.rateLimits) this.#refuseOver(this.#recent(keyOf(username, address)));
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

function keyOf(username: string, address: string): string {
  return JSON.stringify([username, addressKey(address)]);
}
