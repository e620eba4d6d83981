/** The time of day, so that tests can set it. */
export interface Clock {
  /** Milliseconds since 1970, as Date.now. */
  now(): number;
}

export const systemClock: Clock = { now: () => Date.now() };
