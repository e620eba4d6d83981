/** What a subscriber gets. It must not change the bytes: others get the same ones. */
export type BusHandler = (payload: Uint8Array) => void;

/**
 * Hints between nodes: "this was committed". Every engine passes the suite in `test/suites/bus.ts`. Guarantees, on purpose
 * weak, since the Store is the truth and whoever listens must bear it:
 * - a payload reaches the subscribers of its topic on the other nodes at most once each, never on the node that published it;
 * - payloads that one node publishes to one topic arrive in that order, except for those that are lost;
 * - after a loss that the bus knows of (a reconnect), `onGap` of every subscription is called once;
 * - a subscription that does not take effect at once is told by `onGap`, once, when it has: what was published before may be lost.
 */
export interface Bus {
  /** Publishes to the other nodes. Never throws and never waits: a payload that cannot go now is lost. */
  publish(topic: string, payload: Uint8Array): void;
  /**
   * Listens to a topic until the returned function is called. What others publish reaches it from now on, or on a network after a
   * round trip, which ends with `onGap`.
   */
  subscribe(topic: string, handler: BusHandler, onGap: () => void): () => void;
  /** Ends every subscription and releases every resource. */
  close(): Promise<void>;
}

/** What a bus knows of itself since it was opened. */
export interface BusState {
  /** Whether payloads can go and come now. */
  readonly connected: boolean;
  /** Payloads that were handed on, and such as are known to be lost on their way out. */
  readonly published: number;
  readonly dropped: number;
  /** Payloads of other nodes. */
  readonly received: number;
  /** Times that subscribers were told of a gap. */
  readonly gaps: number;
}

/** What a bus may be as well, when it can be cut off. */
export interface ObservableBus {
  readonly state: BusState;
}

/** The state of a bus that tells it. */
export function busState(bus: Bus): BusState | undefined {
  return (bus as Partial<ObservableBus>).state;
}
