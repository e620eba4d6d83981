import type { Clock } from "../clock.ts";

export interface LivenessOptions {
  readonly clock: Clock;
  /** Milliseconds: the server sends something at least this often. */
  readonly heartbeatMs: number;
  /** Nothing was sent, or nothing heard, for a while: say something that is answered. */
  readonly ping: () => void;
  /** Nothing was heard for half as long again as the heartbeat: the connection is dead. */
  readonly dead: () => void;
}

/** Silence of this much of a heartbeat, in either direction, is broken with a ping: its answer has time to come. */
const PING_AFTER = 0.8;
const DEAD_AFTER = 1.5;

/**
 * Watches whether both sides hear each other. Pings are frames of Parlor, because a browser shows nothing of the pings of
 * WebSocket.
 */
export class Liveness {
  readonly #options: LivenessOptions;
  #heardAt: number;
  #saidAt: number;
  #stopped = false;
  #cancel: () => void;

  constructor(options: LivenessOptions) {
    this.#options = options;
    this.#heardAt = options.clock.now();
    this.#saidAt = this.#heardAt;
    this.#cancel = this.#next();
  }

  heard(): void {
    this.#heardAt = this.#options.clock.now();
  }

  said(): void {
    this.#saidAt = this.#options.clock.now();
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }

  #next(): () => void {
    const { clock, heartbeatMs } = this.#options;
    // After a ping without an answer only the end is left to wait for.
    const quietSince = this.#saidAt > this.#heardAt ? this.#saidAt : Math.min(this.#saidAt, this.#heardAt);
    const due = Math.min(quietSince + PING_AFTER * heartbeatMs, this.#heardAt + DEAD_AFTER * heartbeatMs);
    return clock.after(Math.max(0, due - clock.now()), () => this.#check());
  }

  #check(): void {
    const { clock, heartbeatMs, ping, dead } = this.#options;
    const now = clock.now();
    if (now - this.#heardAt >= DEAD_AFTER * heartbeatMs) dead();
    else if (now - Math.min(this.#heardAt, this.#saidAt) >= PING_AFTER * heartbeatMs) ping();
    if (!this.#stopped) this.#cancel = this.#next();
  }
}
