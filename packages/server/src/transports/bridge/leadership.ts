import { setTimeout as later } from "node:timers/promises";
import type { MqttClient } from "mqtt";
import { LEADER } from "./topics.ts";

/** How long nobody may have said that they lead, before this bridge takes it up (milliseconds). */
const vacancyMs = 1500;

/** Watches which bridge leads: it says so in a retained message, which its will takes back. */
export class Leadership {
  readonly #name: string;
  #leader = "";
  #since: number | undefined;

  constructor(name: string) {
    this.#name = name;
  }

  /** To be called whenever the client is connected anew. */
  watch(client: MqttClient): void {
    this.#leader = "";
    this.#since = performance.now();
    client.subscribe(LEADER, { qos: 1 });
  }

  /** The broker is gone: nobody knows anything. */
  lost(): void {
    this.#since = undefined;
  }

  /** Takes a message of the topic: the name of who leads, or nothing when nobody does any more. */
  take(payload: string): void {
    if (payload === "" && this.#leader !== "" && this.#since !== undefined) this.#since = performance.now() - vacancyMs;
    this.#leader = payload;
  }

  /** Resolves when nobody leads, or only a former run of this bridge. */
  async vacant(signal: AbortSignal): Promise<void> {
    while (!this.#isVacant()) await later(vacancyMs / 5, undefined, { signal });
  }

  #isVacant(): boolean {
    const settled = this.#since !== undefined && performance.now() - this.#since >= vacancyMs;
    return settled && (this.#leader === "" || this.#leader === this.#name);
  }
}
