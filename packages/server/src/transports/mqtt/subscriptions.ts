import type { FrameFormat } from "../../realtime/sink.ts";
import type { Share } from "./shared-groups.ts";
import { everyEvent, everyRoomOf, type Interest, interestOf, matches, topics } from "./topics.ts";

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
  /** Shared ones, by room; undefined stands for every room. Made when there are any. */
  #shared: Map<string | undefined, readonly Subscription[]> | undefined;
  /** The last room that was asked for, and what the answer was: most deliveries ask for the same again. */
  #room: string | undefined;
  #ofRoom: Subscription | undefined;

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
    if (!subscription.share || interest.kind !== "events") return;
    this.#shared ??= new Map();
    this.#shared.set(interest.roomId, [...this.#sharedIn(interest.roomId), subscription]);
  }

  /** Says whether there was one. */
  remove(filter: string): boolean {
    this.#room = undefined;
    const subscription = this.#byFilter.get(filter);
    if (subscription?.share) this.#removeShared(subscription);
    return this.#byFilter.delete(filter);
  }

  #removeShared(subscription: Subscription): void {
    const interest = interestOf(subscription.filter);
    if (interest?.kind === "events") {
      const left = this.#sharedIn(interest.roomId).filter((other) => other !== subscription);
      if (left.length > 0) this.#shared?.set(interest.roomId, left);
      else this.#shared?.delete(interest.roomId);
    }
    subscription.share?.leave();
  }

  #sharedIn(roomId: string | undefined): readonly Subscription[] {
    return this.#shared?.get(roomId) ?? [];
  }

  /** The subscription by which events of a room come: one's own before a shared one, and of one's own that with the higher QoS. */
  ofRoom(roomId: string): Subscription | undefined {
    if (roomId !== this.#room) {
      this.#ofRoom = this.#bestOf(roomId);
      this.#room = roomId;
    }
    return this.#ofRoom;
  }

  #bestOf(roomId: string): Subscription | undefined {
    const one = this.#byFilter.get(topics.events(roomId));
    const every = this.#byFilter.get(everyEvent);
    if (one && every) return every.qos > one.qos ? every : one;
    return one ?? every ?? this.#sharedIn(roomId)[0] ?? this.#sharedIn(undefined)[0];
  }

  /** Of a room whose events come by shared subscriptions alone: whether this one is for this connection. */
  isFor(roomId: string, seq: number): boolean {
    return [...this.#sharedIn(roomId), ...this.#sharedIn(undefined)].some(({ share }) => share?.has(roomId, seq));
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
