/**
 * After so long (milliseconds) in which its client is still heard, an answer has reached it: a client sends again what it has to
 * right after it has connected, and answers are lost with a connection only.
 */
const settledAfterMs = 10_000;

/** Up to when the publications of a client are known to be acknowledged, so that it does not send them again. */
export class Settlement {
  /** What was stored before is acknowledged (milliseconds since 1970). */
  settledAt: number;
  #checkpoint: number;

  constructor(settledAt: number, now: number) {
    this.settledAt = settledAt;
    this.#checkpoint = now;
  }

  /**
   * The client was heard.
   * @param oldest when the oldest publication came that is not answered
   * @returns whether `settledAt` moved
   */
  heard(now: number, oldest: number | undefined): boolean {
    if (now - this.#checkpoint < settledAfterMs) return false;
    const moves = oldest === undefined || oldest > this.#checkpoint;
    if (moves) this.settledAt = this.#checkpoint;
    this.#checkpoint = now;
    return moves;
  }
}
