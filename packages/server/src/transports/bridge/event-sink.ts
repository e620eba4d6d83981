import { setTimeout as later } from "node:timers/promises";
import type { Goodbye, ServerFrame } from "@parlor/contract";
import type { MqttClient } from "mqtt";
import type { RoomEvent } from "../../domain/room-event.ts";
import type { FrameFormat, Sink, Window } from "../../realtime/sink.ts";
import type { PacketLimit } from "./packet-limit.ts";
import { eventsTopic } from "./topics.ts";

/** Events that the broker has not acknowledged, at most. */
const inFlight = 256;
/** What the broker may take to acknowledge the last ones (milliseconds). */
const settleMs = 2000;
const nothing = new Uint8Array();

/** The bridge publishes the events themselves; it needs no frame of them. */
const format: FrameFormat = { name: "mqtt-bridge", events: () => nothing };

export interface EventSinkOptions {
  readonly client: MqttClient;
  readonly limit: PacketLimit;
  /** The broker has everything of a room up to a `seq`. */
  readonly acknowledged: (roomId: string, seq: number) => void;
  /** An event that the broker would not take. */
  readonly skipped: (roomId: string, seq: number) => void;
  /** A frame with something of the stream itself: its welcome, or gaps. */
  readonly told: (frame: ServerFrame) => void;
  /** Says that the bridge is there, since no client does. */
  readonly alive: () => void;
  readonly ended: (goodbye: Goodbye) => void;
}

/** The way of durable events to the broker, at QoS 1 and in order. */
export class EventSink implements Sink {
  readonly window: Window;
  readonly silenceMs = Number.POSITIVE_INFINITY;
  readonly queuedBytes = 0;
  readonly #options: EventSinkOptions;
  #open = 0;
  #waiting: (() => void)[] = [];
  #closed = false;

  constructor(options: EventSinkOptions) {
    this.#options = options;
    this.window = {
      sizeFor: () => (this.#closed ? 0 : inFlight - this.#open),
      opened: () => this.#opened(),
    };
  }

  formatFor(first: RoomEvent): FrameFormat | undefined {
    return first.seq > 0 ? format : undefined;
  }

  encode(frame: ServerFrame): Uint8Array {
    if (frame.welcome || frame.gaps.length > 0) this.#options.told(frame);
    return nothing;
  }

  write(_bytes: Uint8Array, events: readonly RoomEvent[] = []): void {
    if (this.#closed) return;
    for (const event of events) if (event.seq > 0) this.#publish(event);
  }

  drained(): Promise<void> {
    return Promise.resolve();
  }

  beat(): void {
    this.#options.alive();
  }

  end(goodbye: Goodbye): void {
    this.close();
    this.#options.ended(goodbye);
  }

  /** Publishes nothing any more; what is on its way may still be acknowledged. */
  close(): void {
    this.#closed = true;
    this.#wake();
  }

  /** Waits for what is on its way, while the broker is there, and not for long. */
  async settled(): Promise<void> {
    const limit = performance.now() + settleMs;
    while (this.#open > 0 && this.#options.client.connected && performance.now() < limit) await later(10);
  }

  #publish({ roomId, seq, json }: RoomEvent): void {
    const { client, limit, acknowledged } = this.#options;
    const topic = eventsTopic(roomId);
    const options = { qos: 1, properties: { contentType: "application/json" } } as const;
    if (!limit.allows(topic, json, options)) {
      this.#skip(roomId, seq);
      return;
    }
    this.#open++;
    client.publish(topic, json, options, (error) => {
      this.#open--;
      if (!error) acknowledged(roomId, seq);
      this.#wake();
    });
  }

  /** While others are under way, what comes after it says that it is done with. */
  #skip(roomId: string, seq: number): void {
    this.#options.skipped(roomId, seq);
    if (this.#open === 0) this.#options.acknowledged(roomId, seq);
  }

  async #opened(): Promise<void> {
    while (!this.#closed && this.#open >= inFlight) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
