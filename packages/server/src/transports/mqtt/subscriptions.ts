import type { FrameFormat } from "../../realtime/sink.ts";
import { type Interest, interestOf, matches } from "./topics.ts";

/** How events are written in a PUBLISH. */
export type Encoding = "json" | "protobuf";

/** A subscription that was granted. Only what is in a room's log comes with QoS 1: the log is what it is sent again from. */
export interface Subscription {
  readonly filter: string;
  readonly qos: 0 | 1;
  readonly encoding: Encoding;
  /** How events from the log are written for it, and any other. */
  readonly format: FrameFormat;
  readonly ephemeralFormat: FrameFormat;
}

/** Most subscriptions of one session. */
export const maxSubscriptions = 1000;

/** What one session has subscribed to. Where several match, the highest QoS counts, and each event comes once. */
export class Subscriptions {
  readonly #byFilter = new Map<string, Subscription>();
  readonly #events = new Map<string | undefined, Subscription>();

  get size(): number {
    return this.#byFilter.size;
  }

  all(): Iterable<Subscription> {
    return this.#byFilter.values();
  }

  has(filter: string): boolean {
    return this.#byFilter.has(filter);
  }

  put(subscription: Subscription, interest: Interest): void {
    this.#byFilter.set(subscription.filter, subscription);
    if (interest.kind === "events") this.#events.set(interest.roomId, subscription);
  }

  /** Says whether there was one. */
  remove(filter: string): boolean {
    const interest = interestOf(filter);
    if (interest?.kind === "events") this.#events.delete(interest.roomId);
    return this.#byFilter.delete(filter);
  }

  /** The subscription by which events of a room come. */
  ofRoom(roomId: string): Subscription | undefined {
    const one = this.#events.get(roomId);
    const every = this.#events.get(undefined);
    return one && (one.qos === 1 || !every) ? one : (every ?? one);
  }

  /** The subscription by which anything else with this topic comes. */
  ofTopic(topic: string): Subscription | undefined {
    for (const subscription of this.#byFilter.values()) if (matches(subscription.filter, topic)) return subscription;
    return undefined;
  }
}
