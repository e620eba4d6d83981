/** Gives one session to one holder at a time, in the order of the calls. */
export class SessionGate {
  readonly #waiting: (() => void)[] = [];
  #held = false;

  /** Whether nobody holds the session. */
  get free(): boolean {
    return !this.#held;
  }

  /** Waits for one's turn; `leave` must be called after it. */
  enter(): Promise<void> {
    if (this.#held) return new Promise((resolve) => this.#waiting.push(resolve));
    this.#held = true;
    return Promise.resolve();
  }

  leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#held = false;
    else next();
  }
}
