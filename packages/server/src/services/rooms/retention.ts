import type { Kysely } from "kysely";
import type { Feeds } from "../../log/feeds.ts";
import type { Clock } from "../../ports/clock.ts";
import { dueRooms, removeEndedSessions, trimRoom } from "../../store/retention.ts";
import type { Schema } from "../../store/schema.ts";

/** How often old things are looked for (milliseconds). */
const everyMs = 5 * 60_000;
/** Sessions are kept this long after their end (milliseconds). */
const endedSessionsMs = 30 * 24 * 3_600_000;
/** Rows removed at a time: few enough that nobody waits for it. */
const rowsAtOnce = 1000;
const roomsAtOnce = 100;

export interface RetentionOptions {
  readonly store: Kysely<Schema>;
  readonly feeds: Pick<Feeds, "trimmed">;
  readonly clock: Clock;
  /** How long the messages of rooms without a time of their own are kept (milliseconds); undefined: for ever. */
  readonly retentionMs: number | undefined;
  readonly reportFault: (error: unknown) => void;
}

/** Removes what is past its time: old messages with their part of the log, and sessions that ended long ago. */
export class Retention {
  readonly #options: RetentionOptions;
  readonly #timer: NodeJS.Timeout;
  #running: Promise<void> | undefined;
  #again = false;
  #stopped = false;

  constructor(options: RetentionOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.start(), everyMs);
    this.#timer.unref();
  }

  /** Starts a round; one that is asked for during a round follows it. */
  start(): void {
    if (this.#stopped) return;
    this.#again = this.#running !== undefined;
    this.#running ??= this.#round()
      .catch(this.#options.reportFault)
      .finally(() => {
        this.#running = undefined;
        if (this.#again) this.start();
      });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    await this.#running;
  }

  async #round(): Promise<void> {
    const { store, clock } = this.#options;
    const ended = new Date(clock.now() - endedSessionsMs);
    while (!this.#stopped && (await removeEndedSessions(store, ended, rowsAtOnce)) === rowsAtOnce);
    while (!this.#stopped && (await this.#trimSome()));
  }

  /** Says whether anything was removed. */
  async #trimSome(): Promise<boolean> {
    const { store, feeds, clock, retentionMs } = this.#options;
    const seconds = retentionMs === undefined ? null : Math.ceil(retentionMs / 1000);
    let removed = false;
    for (const { id, seconds: kept } of await dueRooms(store, new Date(clock.now()), seconds, roomsAtOnce)) {
      if (this.#stopped) return false;
      const firstSeq = await trimRoom(store, id, new Date(clock.now() - kept * 1000), rowsAtOnce);
      if (firstSeq === undefined) continue;
      feeds.trimmed(id, firstSeq);
      removed = true;
    }
    return removed;
  }
}
