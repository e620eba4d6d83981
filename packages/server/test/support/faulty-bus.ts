import type { Bus, BusHandler } from "../../src/ports/bus.ts";
import type { Random } from "./random.ts";

/** How often each fault happens, as a share of the payloads that come. */
export interface BusFaults {
  readonly lost: number;
  readonly doubled: number;
  /** Handed on only after later ones. */
  readonly late: number;
  /** Cut short. */
  readonly torn: number;
}

/**
 * A bus that does to its subscribers whatever the port allows, and more: no bus of ours doubles, reorders or tears payloads, but
 * whoever listens must bear it.
 */
export class FaultyBus implements Bus {
  readonly #bus: Bus;
  readonly #random: Random;
  readonly #faults: BusFaults;

  constructor(bus: Bus, random: Random, faults: BusFaults) {
    this.#bus = bus;
    this.#random = random;
    this.#faults = faults;
  }

  publish(topic: string, payload: Uint8Array): void {
    this.#bus.publish(topic, payload);
  }

  subscribe(topic: string, handler: BusHandler, onGap: () => void): () => void {
    const held: Uint8Array[] = [];
    const receive = (payload: Uint8Array): void => {
      const { lost, doubled, late, torn } = this.#faults;
      const dice = this.#random.next();
      if (dice < lost) return;
      if (dice < lost + late) return void held.push(payload);
      handler(dice < lost + late + torn ? payload.subarray(0, payload.length - 1) : payload);
      if (dice > 1 - doubled) handler(payload);
      for (const old of held.splice(0)) handler(old);
    };
    return this.#bus.subscribe(topic, receive, onGap);
  }

  close(): Promise<void> {
    return this.#bus.close();
  }
}
