import type { Kysely } from "kysely";
import { deletedRooms, forgetRoom, purgeSome } from "../../store/rooms.ts";
import type { Schema } from "../../store/schema.ts";

/** Rows removed per statement: few enough that nobody waits for it. */
const rowsAtOnce = 1000;

/** Removes the content of deleted rooms in small steps; what a stop leaves over is removed after the next start. */
export class Purge {
  readonly #store: Kysely<Schema>;
  readonly #reportFault: (error: unknown) => void;
  #running: Promise<void> | undefined;
  #again = false;
  #stopped = false;

  constructor(store: Kysely<Schema>, reportFault: (error: unknown) => void) {
    this.#store = store;
    this.#reportFault = reportFault;
  }

  /** Starts a round; one that is asked for during a round follows it. */
  start(): void {
    if (this.#stopped) return;
    this.#again = this.#running !== undefined;
    this.#running ??= this.#round()
      .catch(this.#reportFault)
      .finally(() => {
        this.#running = undefined;
        if (this.#again) this.start();
      });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #round(): Promise<void> {
    for (const roomId of await deletedRooms(this.#store)) {
      while (!this.#stopped && (await purgeSome(this.#store, roomId, rowsAtOnce)));
      if (!this.#stopped) await forgetRoom(this.#store, roomId);
    }
  }
}
