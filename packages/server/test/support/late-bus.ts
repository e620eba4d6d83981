import type { Bus, BusHandler } from "../../src/ports/bus.ts";

/** A bus whose subscriptions take effect only when it is told so, as on a network that is slow to confirm them. */
export class LateBus implements Bus {
  readonly #bus: Bus;
  #waiting: Array<() => void> | undefined;

  constructor(bus: Bus) {
    this.#bus = bus;
  }

  /** Until the returned function is called, no new subscription hears anything. */
  hold(): () => void {
    this.#waiting = [];
    return () => {
      const waiting = this.#waiting ?? [];
      this.#waiting = undefined;
      for (const confirm of waiting) confirm();
    };
  }

  publish(topic: string, payload: Uint8Array): void {
    this.#bus.publish(topic, payload);
  }

  subscribe(topic: string, handler: BusHandler, onGap: () => void): () => void {
    if (!this.#waiting) return this.#bus.subscribe(topic, handler, onGap);
    let ended = false;
    let unsubscribe = (): void => undefined;
    this.#waiting.push(() => {
      if (ended) return;
      unsubscribe = this.#bus.subscribe(topic, handler, onGap);
      onGap();
    });
    return () => {
      ended = true;
      unsubscribe();
    };
  }

  close(): Promise<void> {
    return this.#bus.close();
  }
}
