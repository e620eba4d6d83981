import { Code, ParlorError, Reason } from "@parlor/contract";
import type { Clock } from "./clock.ts";
import { aborted } from "./errors.ts";

/** Waits that grow with every failed try. */
export interface Backoff {
  /** Milliseconds: the longest first wait. */
  readonly baseMs: number;
  /** Milliseconds: no wait is longer. */
  readonly capMs: number;
}

/** What retries need to know of the world. */
export interface RetryWorld {
  readonly clock: Clock;
  /** A number of at least 0 and below 1. */
  readonly random: () => number;
}

/** Tries of one call, the first included. */
const MAX_TRIES = 4;
/** A server that asks for a longer wait is not waited for: whoever called decides. */
const LONGEST_WAIT_MS = 30_000;
const CALL_BACKOFF: Backoff = { baseMs: 200, capMs: 5_000 };

/** Full jitter: anything between nothing and the cap of this try, so that clients which failed together return apart. */
export function fullJitter({ baseMs, capMs }: Backoff, attempt: number, random: () => number): number {
  return random() * Math.min(capMs, baseMs * 2 ** Math.min(attempt, 30));
}

/**
 * Milliseconds until a call that is safe to repeat should be tried again; undefined when trying again will not help.
 * @param tries how often it was tried so far
 */
export function retryDelay(error: ParlorError, tries: number, random: () => number): number | undefined {
  if (tries >= MAX_TRIES || !isTransient(error)) return undefined;
  if (error.retryAfterMs === undefined) return fullJitter(CALL_BACKOFF, tries - 1, random);
  // Jitter goes on top: before the time that the server named, a try would fail for certain.
  const wait = error.retryAfterMs + fullJitter(CALL_BACKOFF, 0, random);
  return wait > LONGEST_WAIT_MS ? undefined : wait;
}

/** Slow mode, failed log-ins and connection counts are left out: their limits are for people to know of, not to wait out. */
function isTransient(error: ParlorError): boolean {
  if (error.code === Code.RESOURCE_EXHAUSTED) return error.reason === Reason.RATE_LIMITED || error.reason === Reason.OVERLOADED;
  return error.code === Code.UNAVAILABLE || error.code === Code.ABORTED;
}

/** Runs a call that is safe to repeat until it succeeds or trying again cannot help. */
export async function withRetries<T>(run: () => Promise<T>, { clock, random }: RetryWorld, signal?: AbortSignal): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await run();
    } catch (error) {
      const wait = error instanceof ParlorError ? retryDelay(error, tries, random) : undefined;
      if (wait === undefined) throw error;
      await pause(clock, wait, signal);
    }
  }
}

function pause(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(aborted(signal));
    const onAbort = (): void => {
      cancel();
      reject(aborted(signal as AbortSignal));
    };
    const cancel = clock.after(ms, () => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    });
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}
