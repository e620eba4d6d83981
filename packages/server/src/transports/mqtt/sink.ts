import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Goodbye, ServerFrame } from "@parlor/contract";
import type { RoomEvent } from "../../domain/room-event.ts";
import type { FrameFormat, Sink, Window } from "../../realtime/sink.ts";
import { plainSocketOf, writeDirectly } from "../direct-write.ts";
import { topicOf } from "./formats.ts";
import type { InFlight } from "./in-flight.ts";
import type { Subscriptions } from "./subscriptions.ts";
import { asResent, packetSizes } from "./wire.ts";

/** What a client's CONNECT says of how it is to be written to. */
export interface ReaderSettings {
  readonly subscriptions: Subscriptions;
  readonly inFlight: InFlight;
  /** Section 3.1.2.11.4: larger packets are not sent. */
  readonly maxPacketBytes: number;
  /** Section 3.1.2.10: the client is heard of at least this often (milliseconds). */
  readonly silenceMs: number;
  /** What an earlier connection of the session may have been sent, by room; left out when there is nothing. */
  readonly sentBefore: ReadonlyMap<string, number> | undefined;
}

/** Waits until its event may be sent. */
interface Waiting {
  readonly first: RoomEvent;
  readonly resolve: () => void;
}

// What most connections have all the time.
const nobody: readonly Waiting[] = [];

/** What the sink asks its connection to do. */
export interface SinkOwner {
  encode(frame: ServerFrame): Uint8Array;
  end(goodbye: Goodbye): void;
}

/** Bytes waiting for the client before its next packet is read. */
const maxQueuedBytes = 64 * 1024;

const NOTHING = new Uint8Array();

/** The way out of one connection: picks what was subscribed to, and holds to the client's Receive Maximum. */
export class MqttSink implements Sink, Window {
  readonly #stream: Duplex;
  /** The stream, where it is a socket and nothing else. */
  readonly #socket: Socket | undefined;
  readonly #owner: SinkOwner;
  #settings: ReaderSettings | undefined;
  #waiting = nobody;

  constructor(stream: Duplex, owner: SinkOwner) {
    this.#stream = stream;
    this.#socket = plainSocketOf(stream);
    this.#owner = owner;
  }

  /** Called once, when the client is known. */
  begin(settings: ReaderSettings): void {
    this.#settings = settings;
  }

  formatFor(first: RoomEvent): FrameFormat | undefined {
    const subscriptions = this.#settings?.subscriptions;
    if (first.seq > 0) return subscriptions?.ofRoom(first.roomId)?.format;
    return subscriptions?.ofTopic(topicOf(first))?.ephemeralFormat;
  }

  encode(frame: ServerFrame): Uint8Array {
    return this.#owner.encode(frame);
  }

  write(bytes: Uint8Array, events?: readonly RoomEvent[]): void {
    if (bytes.length === 0 || !this.#stream.writable) return;
    const settings = this.#settings;
    if (events && settings) this.#publish(bytes, events, settings);
    else this.#out(bytes);
  }

  #out(bytes: Uint8Array): void {
    if (this.#socket) writeDirectly(this.#socket, bytes);
    else this.#stream.write(bytes);
  }

  get queuedBytes(): number {
    return this.#stream.destroyed ? 0 : this.#stream.writableLength;
  }

  async drained(): Promise<void> {
    if (this.queuedBytes === 0) return;
    // The callback of a write is called after all writes before it, and with an error when the way is closed instead.
    await new Promise<void>((resolve) => this.#stream.write(NOTHING, () => resolve()));
  }

  /** A promise while more waits for the client than it should. */
  backlog(): Promise<void> | undefined {
    return this.queuedBytes > maxQueuedBytes ? this.drained() : undefined;
  }

  get window(): Window {
    return this;
  }

  sizeFor({ roomId, seq }: RoomEvent): number {
    const settings = this.#settings;
    if (!settings || !this.#acknowledges(roomId, seq) || this.#stream.destroyed) return Number.POSITIVE_INFINITY;
    return settings.inFlight.sizeFor(roomId, seq);
  }

  /** Half of the window has to be free, so that a full one does not make every event a write of its own. */
  opened(first: RoomEvent): Promise<void> {
    if (this.#isOpen(first)) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiting = [...this.#waiting, { first, resolve }];
    });
  }

  /** Events were acknowledged, or need not be any more, or the way is closed. */
  windowMoved(): void {
    if (this.#waiting.length === 0) return;
    const open = this.#waiting.filter(({ first }) => this.#isOpen(first));
    this.#waiting = this.#waiting.filter((one) => !open.includes(one));
    for (const { resolve } of open) resolve();
  }

  get silenceMs(): number | undefined {
    return this.#settings?.silenceMs;
  }

  /** In MQTT it is the client that pings. */
  beat(): void {}

  end(goodbye: Goodbye): void {
    this.#owner.end(goodbye);
  }

  #acknowledges(roomId: string, seq: number): boolean {
    return seq > 0 && this.#settings?.subscriptions.ofRoom(roomId)?.qos === 1;
  }

  #isOpen(first: RoomEvent): boolean {
    const { inFlight } = this.#settings ?? {};
    if (!inFlight || this.sizeFor(first) === Number.POSITIVE_INFINITY) return true;
    return this.sizeFor(first) > 0 && inFlight.unacked <= inFlight.limit / 2;
  }

  /** The bytes are all subscribers'; only where this one needs something else are they made anew. */
  #publish(bytes: Uint8Array, run: readonly RoomEvent[], settings: ReaderSettings): void {
    const { roomId, seq } = run[0] as RoomEvent;
    const { inFlight, subscriptions, maxPacketBytes, sentBefore } = settings;
    const subscription = seq > 0 ? subscriptions.ofRoom(roomId) : undefined;
    const counted = subscription?.qos === 1;
    const isRepeated = counted && (seq <= inFlight.sent(roomId) || seq <= (sentBefore?.get(roomId) ?? 0));
    if (isRepeated || bytes.length > maxPacketBytes || subscription?.share) return void this.#publishSome(bytes, run, settings);
    if (counted) inFlight.put(roomId, seq, (run.at(-1) as RoomEvent).seq);
    this.#out(bytes);
  }

  /** Leaves out what is another's of the group, was sent already, or is too large for the client; marks what may have come before. */
  #publishSome(
    bytes: Uint8Array,
    run: readonly RoomEvent[],
    { inFlight, subscriptions, maxPacketBytes, sentBefore }: ReaderSettings,
  ): void {
    const { roomId, seq } = run[0] as RoomEvent;
    const isShared = seq > 0 && subscriptions.ofRoom(roomId)?.share !== undefined;
    const counted = this.#acknowledges(roomId, seq);
    const sent = counted ? inFlight.sent(roomId) : 0;
    const sizes = packetSizes(bytes);
    const mine = run.filter((event) => (!isShared || subscriptions.isFor(roomId, event.seq)) && (!counted || event.seq > sent));
    const fitting = mine.filter((event) => (sizes[run.indexOf(event)] as number) <= maxPacketBytes);
    if (counted && mine[0]) inFlight.put(roomId, mine[0].seq, (mine.at(-1) as RoomEvent).seq);
    const packets = fitting.length === run.length ? bytes : (this.formatFor(run[0] as RoomEvent)?.events(fitting) ?? NOTHING);
    const resent = counted ? fitting.filter((event) => event.seq <= (sentBefore?.get(roomId) ?? 0)).length : 0;
    if (fitting.length > 0) this.#out(resent > 0 ? asResent(packets, resent) : packets);
    // Section 3.1.2.11.4: what is too large counts as delivered.
    for (const event of mine) if (counted && !fitting.includes(event)) inFlight.settle(roomId, event.seq);
  }
}
