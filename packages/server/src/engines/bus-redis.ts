// The bus of nodes that share a Redis (7 or newer): sharded pub/sub of raw bytes.
import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { Bus, BusHandler, BusState, ObservableBus } from "../ports/bus.ts";
import { type Log, noLog } from "../ports/log.ts";
import { RedisSession } from "./redis-session.ts";
import { parseRedisUrl, type RedisPlace } from "./redis-url.ts";

export interface RedisBusOptions {
  readonly url: string;
  /** What the names of channels begin with; nodes hear only those that have the same. */
  readonly prefix: string;
  readonly log?: Log;
}

/** Beyond so many bytes that Redis has not acknowledged, payloads are dropped. */
const maxPendingBytes = 8 * 1024 * 1024;
/** Each payload begins with the id of the node that published it, which does not listen to itself. */
const nodeIdBytes = 16;
/** The first and the longest pause before another attempt to connect (milliseconds). */
const pauses = [50, 2000] as const;

interface Subscription {
  readonly handler: BusHandler;
  readonly onGap: () => void;
}

/** Opens a bus. When Redis cannot be reached it opens all the same, says so in the log, and goes on trying. @throws RedisUrlError */
export async function openRedisBus(options: RedisBusOptions): Promise<Bus & ObservableBus> {
  const bus = new RedisBus(options);
  await bus.start();
  return bus;
}

class RedisBus implements Bus, ObservableBus {
  readonly #place: RedisPlace;
  readonly #prefix: string;
  readonly #log: Log;
  readonly #nodeId = randomBytes(nodeIdBytes);
  readonly #topics = new Map<string, Set<Subscription>>();
  /** Channels whose subscriptions changed in this turn of the event loop. */
  #changed = new Set<string>();
  readonly #closing = new AbortController();
  #session: RedisSession | undefined;
  #running: Promise<void> | undefined;
  #connected = false;
  #lossTold = false;
  readonly #counts = { published: 0, dropped: 0, received: 0, gaps: 0 };

  constructor({ url, prefix, log = noLog }: RedisBusOptions) {
    this.#place = parseRedisUrl(url);
    this.#prefix = `${prefix}:`;
    this.#log = log;
  }

  get state(): BusState {
    return { connected: this.#connected, ...this.#counts };
  }

  /** Resolves after the first attempt to connect. */
  start(): Promise<void> {
    const first = Promise.withResolvers<void>();
    this.#running = this.#run(first.resolve);
    return first.promise;
  }

  publish(topic: string, payload: Uint8Array): void {
    const session = this.#session;
    if (!session || session.pendingBytes + payload.length > maxPendingBytes) {
      this.#counts.dropped++;
      return;
    }
    this.#counts.published++;
    session.publish(this.#prefix + topic, Buffer.concat([this.#nodeId, payload]), () => this.#counts.dropped++);
  }

  subscribe(topic: string, handler: BusHandler, onGap: () => void): () => void {
    if (this.#closing.signal.aborted) return () => {};
    const channel = this.#prefix + topic;
    const subscription = { handler, onGap };
    const subscriptions = this.#topics.get(channel) ?? new Set();
    this.#topics.set(channel, subscriptions.add(subscription));
    if (subscriptions.size === 1) this.#change(channel);
    return () => this.#unsubscribe(channel, subscription);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#session?.close();
    this.#topics.clear();
    await this.#running;
  }

  #unsubscribe(channel: string, subscription: Subscription): void {
    const subscriptions = this.#topics.get(channel);
    if (!subscriptions?.delete(subscription) || subscriptions.size > 0) return;
    this.#topics.delete(channel);
    this.#change(channel);
  }

  /** One round of commands for all that changes in a turn; what comes and goes within it costs nothing. */
  #change(channel: string): void {
    if (this.#changed.size === 0) setImmediate(() => this.#settle());
    this.#changed.add(channel);
  }

  #settle(): void {
    const changed = this.#changed;
    this.#changed = new Set();
    void this.#listenTo(changed);
  }

  /** Whatever is published before Redis has confirmed does not come: whoever subscribed is told, as after a reconnect. */
  async #listenTo(changed: Iterable<string>): Promise<void> {
    const session = this.#session;
    if (!session) return;
    const added = await session.settle(changed, (channel) => this.#topics.has(channel));
    if (!session.isOver) for (const channel of added) this.#tellGap(channel, [...(this.#topics.get(channel) ?? [])]);
  }

  async #run(attempted: () => void): Promise<void> {
    const { signal } = this.#closing;
    for (let failures = 0; !signal.aborted; failures++) {
      const reason = await this.#live(() => {
        failures = 0;
        attempted();
      });
      this.#session = undefined;
      this.#connected = false;
      attempted();
      if (signal.aborted) return;
      this.#tellLoss(reason);
      // Jitter, so that the nodes do not come back all at once.
      await delay(Math.min(pauses[0] * 2 ** failures, pauses[1]) * (0.5 + Math.random() / 2), undefined, { signal }).catch(() => {});
    }
  }

  /** Connects, and resolves with the reason when that has failed or the connection is lost. */
  async #live(connected: () => void): Promise<Error> {
    let session: RedisSession;
    try {
      session = await RedisSession.open(this.#place, (channel, payload) => this.#received(channel, payload));
    } catch (error) {
      return error as Error;
    }
    if (this.#closing.signal.aborted) session.close();
    this.#session = session;
    void this.#resume(session).then((resumed) => resumed && connected());
    return session.ended;
  }

  /** Subscribes to everything again, and only then tells who listened before that something may have been lost. */
  async #resume(session: RedisSession): Promise<boolean> {
    const missed = [...this.#topics].map(([channel, subscriptions]) => ({ channel, subscriptions: [...subscriptions] }));
    await session.settle(this.#topics.keys(), (channel) => this.#topics.has(channel));
    if (session.isOver) return false;
    this.#connected = true;
    this.#tellReturn();
    if (missed.length > 0) this.#counts.gaps++;
    for (const { channel, subscriptions } of missed) this.#tellGap(channel, subscriptions);
    return true;
  }

  #tellGap(channel: string, subscriptions: readonly Subscription[]): void {
    for (const subscription of subscriptions) {
      if (this.#topics.get(channel)?.has(subscription)) this.#guard(subscription.onGap);
    }
  }

  #received(channel: string, payload: Buffer): void {
    if (payload.length < nodeIdBytes || this.#nodeId.equals(payload.subarray(0, nodeIdBytes))) return;
    this.#counts.received++;
    const content = payload.subarray(nodeIdBytes);
    for (const { handler } of this.#topics.get(channel) ?? []) this.#guard(() => handler(content));
  }

  /** A subscriber's fault is not that of the others. */
  #guard(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#log.error({ err: error }, "A subscriber of the bus failed");
    }
  }

  #tellLoss({ message }: Error): void {
    if (this.#lossTold) return;
    this.#lossTold = true;
    this.#log.warn({ reason: message }, "Redis is out of reach: other nodes hear of what happens here some seconds later");
  }

  #tellReturn(): void {
    if (this.#lossTold) this.#log.warn({}, "Redis is back");
    this.#lossTold = false;
  }
}
