// The bus of nodes that share a process: of a single node, which has nobody else to hear, and of the nodes of a test.
import type { Bus, BusHandler } from "../ports/bus.ts";

interface Subscription {
  readonly handler: BusHandler;
  readonly onGap: () => void;
}

/** What the nodes of one process join. */
export class MemoryBusHub {
  readonly #members = new Set<MemoryBus>();
  #interrupted = false;

  /** A node's bus. */
  join(): Bus {
    const bus = new MemoryBus(
      (topic, payload) => this.#spread(bus, topic, payload),
      () => this.#members.delete(bus),
    );
    this.#members.add(bus);
    return bus;
  }

  /** Loses every payload until the returned function is called, as a broken network would. */
  interrupt(): () => void {
    this.#interrupted = true;
    return () => {
      this.#interrupted = false;
      for (const member of this.#members) member.reportGap();
    };
  }

  #spread(from: MemoryBus, topic: string, payload: Uint8Array): void {
    if (this.#interrupted || !this.#members.has(from)) return;
    for (const member of this.#members) if (member !== from) member.deliver(topic, payload);
  }
}

class MemoryBus implements Bus {
  readonly #spread: (topic: string, payload: Uint8Array) => void;
  readonly #leave: () => void;
  readonly #topics = new Map<string, Set<Subscription>>();

  constructor(spread: (topic: string, payload: Uint8Array) => void, leave: () => void) {
    this.#spread = spread;
    this.#leave = leave;
  }

  publish(topic: string, payload: Uint8Array): void {
    this.#spread(topic, payload);
  }

  subscribe(topic: string, handler: BusHandler, onGap: () => void): () => void {
    const subscription = { handler, onGap };
    const subscriptions = this.#topics.get(topic) ?? new Set();
    this.#topics.set(topic, subscriptions.add(subscription));
    return () => this.#unsubscribe(topic, subscriptions, subscription);
  }

  async close(): Promise<void> {
    this.#leave();
    for (const subscriptions of this.#topics.values()) subscriptions.clear();
    this.#topics.clear();
  }

  /** In a turn of its own, so that no handler runs inside of the publisher's call; who left until then hears nothing. */
  deliver(topic: string, payload: Uint8Array): void {
    const subscriptions = this.#topics.get(topic);
    for (const subscription of subscriptions ?? []) {
      queueMicrotask(() => {
        if (subscriptions?.has(subscription)) subscription.handler(payload);
      });
    }
  }

  reportGap(): void {
    for (const subscriptions of this.#topics.values()) {
      for (const { onGap } of subscriptions) onGap();
    }
  }

  #unsubscribe(topic: string, subscriptions: Set<Subscription>, subscription: Subscription): void {
    subscriptions.delete(subscription);
    if (subscriptions.size === 0 && this.#topics.get(topic) === subscriptions) this.#topics.delete(topic);
  }
}
