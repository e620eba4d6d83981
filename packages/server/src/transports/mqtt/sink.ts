import type { Duplex } from "node:stream";
import type { Goodbye, ServerFrame } from "@parlor/contract";
import type { RoomEvent } from "../../domain/room-event.ts";
import type { FastPath, FrameFormat, Sink, Window } from "../../realtime/sink.ts";
import { Outlet } from "../outlet.ts";
import { topicOf } from "./formats.ts";
import type { InFlight } from "./in-flight.ts";
import type { Subscriptions } from "./subscriptions.ts";
import { asResent, packetSizes } from "./wire.ts";

/** What a client's CONNECT says of how it is to be written to. */
export interface ReaderSettings {
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
  readonly subscriptions: Subscriptions;
  encode(frame: ServerFrame): Uint8Array;
  end(goodbye: Goodbye): void;
}

/** Bytes waiting for the client before its next packet is read. */
const maxQueuedBytes = 64 * 1024;

const NOTHING = new Uint8Array();

/** The way out of one connection: picks what was subscribed to, and holds to the client's Receive Maximum. */
export class MqttSink implements Sink, Window {
  readonly #stream: Duplex;
  readonly #outlet: Outlet;
  readonly #owner: SinkOwner;
  readonly #subscriptions: Subscriptions;
  /** Left out until the client is known, as are the other settings. */
  #inFlight: InFlight | undefined;
  #maxPacketBytes = Number.POSITIVE_INFINITY;
  #sentBefore: ReadonlyMap<string, number> | undefined;
  #silenceMs: number | undefined;
  #waiting = nobody;

  constructor(stream: Duplex, owner: SinkOwner) {
    this.#stream = stream;
    this.#outlet = new Outlet(stream);
    this.#owner = owner;
    this.#subscriptions = owner.subscriptions;
  }

  /** Called once, when the client is known. */
  begin({ inFlight, maxPacketBytes, silenceMs, sentBefore }: ReaderSettings): void {
    this.#inFlight = inFlight;
    this.#maxPacketBytes = maxPacketBytes;
    this.#silenceMs = silenceMs;
    this.#sentBefore = sentBefore;
  }

  formatFor(first: RoomEvent): FrameFormat | undefined {
    if (first.seq > 0) return this.#subscriptions.ofRoom(first.roomId)?.format;
    return this.#subscriptions.ofTopic(topicOf(first))?.ephemeralFormat;
  }

  /** Of what need not be acknowledged, is not shared with others, and has no limit of size. */
  fastPathOf(roomId: string): FastPath | undefined {
    const subscription = this.#subscriptions.ofRoom(roomId);
    if (subscription?.qos !== 0 || subscription.share || this.#maxPacketBytes < Number.POSITIVE_INFINITY) return undefined;
    return { format: subscription.format, passage: this.#outlet };
  }

  encode(frame: ServerFrame): Uint8Array {
    return this.#owner.encode(frame);
  }

  write(bytes: Uint8Array, events?: readonly RoomEvent[]): void {
    if (bytes.length === 0 || !this.#stream.writable) return;
    if (events && this.#inFlight) this.#publish(bytes, events, this.#inFlight);
    else this.#outlet.write(bytes);
  }

  get queuedBytes(): number {
    return this.#outlet.queuedBytes;
  }

  drained(): Promise<void> {
    return this.#outlet.drained();
  }

  /** A promise while more waits for the client than it should. */
  backlog(): Promise<void> | undefined {
    return this.queuedBytes > maxQueuedBytes ? this.drained() : undefined;
  }

  get window(): Window {
    return this;
  }

  sizeFor({ roomId, seq }: RoomEvent): number {
    if (!this.#inFlight || !this.#acknowledges(roomId, seq) || this.#stream.destroyed) return Number.POSITIVE_INFINITY;
    return this.#inFlight.sizeFor(roomId, seq);
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
    return this.#silenceMs;
  }

  /** In MQTT it is the client that pings. */
  beat(): void {}

  end(goodbye: Goodbye): void {
    this.#owner.end(goodbye);
  }

  #acknowledges(roomId: string, seq: number): boolean {
    return seq > 0 && this.#subscriptions.ofRoom(roomId)?.qos === 1;
  }

  #isOpen(first: RoomEvent): boolean {
    const inFlight = this.#inFlight;
    if (!inFlight || this.sizeFor(first) === Number.POSITIVE_INFINITY) return true;
    return this.sizeFor(first) > 0 && inFlight.unacked <= inFlight.limit / 2;
  }

  /** The bytes are all subscribers'; only where this one needs something else are they made anew. */
  #publish(bytes: Uint8Array, run: readonly RoomEvent[], inFlight: InFlight): void {
    const { roomId, seq } = run[0] as RoomEvent;
    const subscription = seq > 0 ? this.#subscriptions.ofRoom(roomId) : undefined;
    const counted = subscription?.qos === 1;
    const isRepeated = counted && (seq <= inFlight.sent(roomId) || seq <= (this.#sentBefore?.get(roomId) ?? 0));
    if (isRepeated || bytes.length > this.#maxPacketBytes || subscription?.share) return void this.#publishSome(bytes, run, inFlight);
    if (counted) inFlight.put(roomId, seq, (run.at(-1) as RoomEvent).seq);
    this.#outlet.write(bytes);
  }

  /** Leaves out what is another's of the group, was sent already, or is too large for the client; marks what may have come before. */
  #publishSome(bytes: Uint8Array, run: readonly RoomEvent[], inFlight: InFlight): void {
    const { roomId, seq } = run[0] as RoomEvent;
    const isShared = seq > 0 && this.#subscriptions.ofRoom(roomId)?.share !== undefined;
    const counted = this.#acknowledges(roomId, seq);
    const sent = counted ? inFlight.sent(roomId) : 0;
    const sizes = packetSizes(bytes);
    const mine = run.filter((event) => (!isShared || this.#subscriptions.isFor(roomId, event.seq)) && (!counted || event.seq > sent));
    const fitting = mine.filter((event) => (sizes[run.indexOf(event)] as number) <= this.#maxPacketBytes);
    if (counted && mine[0]) inFlight.put(roomId, mine[0].seq, (mine.at(-1) as RoomEvent).seq);
    const packets = fitting.length === run.length ? bytes : (this.formatFor(run[0] as RoomEvent)?.events(fitting) ?? NOTHING);
    const resent = counted ? fitting.filter((event) => event.seq <= (this.#sentBefore?.get(roomId) ?? 0)).length : 0;
    if (fitting.length > 0) this.#outlet.write(resent > 0 ? asResent(packets, resent) : packets);
    // Section 3.1.2.11.4: what is too large counts as delivered.
    for (const event of mine) if (counted && !fitting.includes(event)) inFlight.settle(roomId, event.seq);
  }
}
