import type { FrameFormat } from "../../realtime/sink.ts";
import type { Share } from "./shared-groups.ts";
import { everyRoomOf, type Interest, interestOf, matches } from "./topics.ts";

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
  /** This connection's part of a shared subscription. */
  readonly share?: Share;
}

/** Most subscriptions of one session. */
export const maxSubscriptions = 1000;

/** What one session has subscribed to. Where several match, the best counts, and each event comes once. */
export class Subscriptions {
  readonly #byFilter = new Map<string, Subscription>();
  /** Subscriptions to events, by room; undefined stands for every room. */
  readonly #events = new Map<string | undefined, Subscription[]>();

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
    this.remove(subscription.filter);
    this.#byFilter.set(subscription.filter, subscription);
    if (interest.kind !== "events") return;
    this.#events.set(interest.roomId, [...(this.#events.get(interest.roomId) ?? []), subscription].sort(bestFirst));
  }

  /** Says whether there was one. */
  remove(filter: string): boolean {
    const subscription = this.#byFilter.get(filter);
    const interest = interestOf(filter);
    if (interest?.kind === "events") {
      const left = this.#events.get(interest.roomId)?.filter((other) => other !== subscription) ?? [];
      if (left.length > 0) this.#events.set(interest.roomId, left);
      else this.#events.delete(interest.roomId);
    }
    subscription?.share?.leave();
    return this.#byFilter.delete(filter);
  }

  /** The subscription by which events of a room come. */
  ofRoom(roomId: string): Subscription | undefined {
    const one = this.#events.get(roomId)?.[0];
    const every = this.#events.get(undefined)?.[0];
    return one && every ? (bestFirst(one, every) <= 0 ? one : every) : (one ?? every);
  }

  /** The subscription by which an ephemeral event with this topic comes. No search: each such event asks each of its readers. */
  ofTopic(topic: string): Subscription | undefined {
    return this.#byFilter.get(topic) ?? this.#byFilter.get(everyRoomOf(topic) ?? "");
  }

  /** The subscription by which an answer or an error with this topic comes. */
  ofAnswer(topic: string): Subscription | undefined {
    for (const subscription of this.#byFilter.values()) if (!subscription.share && matches(subscription.filter, topic)) return subscription;
    return undefined;
  }

  /** The connection is over. */
  leaveGroups(): void {
    for (const { share } of this.#byFilter.values()) share?.leave();
  }
}

/** One's own before a shared one, and the higher QoS first. */
function bestFirst(a: Subscription, b: Subscription): number {
  return Number(a.share !== undefined) - Number(b.share !== undefined) || b.qos - a.qos;
}
