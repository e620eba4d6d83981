import { create, toBinary } from "@bufbuild/protobuf";
import type { ClientDuplexStream } from "@grpc/grpc-js";
import {
  type ClientFrame,
  ClientFrameSchema,
  type Goodbye,
  Goodbye_Reason,
  type ParlorError,
  type ServerFrame,
  ServerFrameSchema,
} from "@parlor/contract";
import { departureNote } from "../../domain/gateway-note.ts";
import type { RoomEvent } from "../../domain/room-event.ts";
import type { Connection } from "../../realtime/connection.ts";
import { goodbye } from "../../realtime/goodbyes.ts";
import type { FrameFormat, Sink } from "../../realtime/sink.ts";
import { RoomPositions } from "./room-positions.ts";
import { type SharedFrames, SharedRun } from "./shared-frames.ts";

export type RelayStream = ClientDuplexStream<Buffer, Buffer>;

/** What may wait at the gateway for a reader before it asks the realtime service for no more: there, slowness is dealt with. */
const mostQueued = 256 * 1024;
/** What a client may have said that the realtime service has not taken yet. */
const inboundBytes = 1024 * 1024;
/** What a message costs in memory beside its bytes, about: many small ones are much. */
const messageOverhead = 256;
const SIGN_OF_LIFE = Buffer.alloc(0);
/** How long the realtime service may take to hear that a client is gone (milliseconds). */
const leaveMs = 5000;

export interface RemoteConnectionOptions {
  readonly frames: SharedFrames;
  /** The stream ended without a goodbye: the goodbye that the client gets instead. */
  readonly lost: () => Goodbye;
  /** What the realtime service sent cannot be read: the goodbye that this client gets, who can resume. */
  readonly unreadable: (error: unknown) => Goodbye;
  /** The connection ended; `reason` is left out when the client went away. */
  readonly ended: (connection: RemoteConnection, reason: Goodbye_Reason | undefined) => void;
}

/** A client's connection whose other end is in the realtime service: passes frames both ways. */
export class RemoteConnection implements Connection {
  readonly #sink: Sink;
  readonly #stream: RelayStream;
  readonly #options: RemoteConnectionOptions;
  readonly #positions = new RoomPositions();
  #welcomed = false;
  #ended = false;
  /** What the reader has to take before the next frame is read. */
  #waiting = false;
  #inbound = 0;
  /** What grpc-js keeps for itself until the realtime service has answered; undefined once it has. */
  #kept: number | undefined = 0;
  /** Whether a sign of life has not left yet: another one would say nothing more. */
  #signing = false;
  #offlineAfterMs: number | undefined;
  /** Whether the realtime service has ended the stream. */
  #over = false;

  constructor(sink: Sink, stream: RelayStream, options: RemoteConnectionOptions) {
    this.#sink = sink;
    this.#stream = stream;
    this.#options = options;
    stream.on("data", (message: Buffer) => this.#take(message));
    stream.once("metadata", () => this.#answered());
    stream.on("error", () => undefined);
    stream.on("status", () => {
      this.#over = true;
      this.#lost();
    });
  }

  // What the transport does.

  receive(frame: ClientFrame): void {
    // A client must not say what only gateways may.
    const bytes = toBinary(ClientFrameSchema, frame, { writeUnknownFields: false });
    this.#positions.said(frame);
    this.#send(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  }

  reject(reason: Goodbye_Reason, error: ParlorError): void {
    this.end(goodbye(reason, { error }));
  }

  refuse(id: number, error: ParlorError): void {
    this.alive();
    const replies = [{ id, result: { case: "error" as const, value: error.toWire() } }];
    if (!this.#welcomed) this.reject(Goodbye_Reason.BAD_FRAME, error);
    else if (!this.#ended) this.#sink.write(this.#sink.encode(create(ServerFrameSchema, { replies })));
  }

  alive(): void {
    if (this.#signing) return;
    this.#signing = true;
    this.#send(SIGN_OF_LIFE, () => {
      this.#signing = false;
    });
  }

  offlineAfter(ms: number | undefined): void {
    if (ms === this.#offlineAfterMs) return;
    this.#offlineAfterMs = ms;
    this.#send(departureNote({ offlineAfterMs: ms }));
  }

  /** The sink is asked for each run. */
  interestChanged(): void {}

  closed(): void {
    if (this.#finish(undefined)) this.#leave();
  }

  position(roomId: string): number | undefined {
    return this.#positions.of(roomId);
  }

  rooms(): Iterable<string> {
    return this.#positions.rooms();
  }

  // What the gateway does.

  get queuedBytes(): number {
    return this.#sink.queuedBytes;
  }

  end(goodbye: Goodbye): void {
    // Whoever is sent away by a shutdown will be back.
    if (goodbye.reason === Goodbye_Reason.SHUTDOWN) this.offlineAfter(undefined);
    if (!this.#finish(goodbye.reason)) return;
    this.#sink.end(goodbye);
    this.#leave();
  }

  /** Behind all that was said before; what still comes is not read. */
  #leave(): void {
    if (this.#over) return;
    this.#stream.end();
    this.#stream.resume();
    const timer = setTimeout(() => this.#stream.cancel(), leaveMs).unref();
    this.#stream.once("status", () => clearTimeout(timer));
  }

  #send(bytes: Buffer, sent: () => void = () => undefined): void {
    if (this.#ended) return;
    this.#inbound += bytes.length + messageOverhead;
    const written = (): void => {
      if (this.#kept === undefined) this.#inbound -= bytes.length + messageOverhead;
      else this.#kept += bytes.length + messageOverhead;
      sent();
    };
    if (this.#inbound > inboundBytes) this.end(goodbye(Goodbye_Reason.RATE_LIMITED));
    else this.#stream.write(bytes, written);
  }

  #answered(): void {
    this.#inbound -= this.#kept ?? 0;
    this.#kept = undefined;
  }

  #take(message: Buffer): void {
    if (this.#ended) return;
    try {
      this.#read(message);
    } catch (error) {
      this.end(this.#options.unreadable(error));
    }
    if (this.#sink.queuedBytes > mostQueued) void this.#hold(this.#sink.drained());
  }

  /** @throws Error when it is no ServerFrame, or an event in it that has to be taken apart is none */
  #read(message: Buffer): void {
    const frame = message.length === 0 ? undefined : this.#options.frames.read(message);
    if (frame === undefined) this.#sink.beat();
    else if (frame instanceof SharedRun) this.#pass(frame);
    else this.#show(frame);
  }

  /** A run of events, to a reader that may not have asked for such, or may have to acknowledge others first. */
  #pass(run: SharedRun): void {
    const { events } = run;
    const [first] = events;
    if (!first) return;
    const { window } = this.#sink;
    const format = this.#sink.formatFor(first);
    this.#positions.passed(events);
    if (!format) return;
    if (first.seq === 0 || !window || window.sizeFor(first) >= events.length) this.#sink.write(run.bytes(format), events);
    else void this.#hold(this.#passPaced(format, events));
  }

  async #passPaced(format: FrameFormat, events: readonly RoomEvent[]): Promise<void> {
    const { window } = this.#sink;
    for (let rest = events; rest[0] && !this.#ended; ) {
      const piece = rest.slice(0, window?.sizeFor(rest[0]));
      if (piece.length > 0) this.#sink.write(format.events(piece), piece);
      rest = rest.slice(piece.length);
      if (rest[0]) await window?.opened(rest[0]);
    }
  }

  #show(frame: ServerFrame): void {
    if (frame.goodbye) {
      this.end(frame.goodbye);
      return;
    }
    if (frame.welcome) this.#positions.welcomed(frame.welcome);
    this.#positions.gapped(frame.gaps);
    this.#welcomed ||= frame.welcome !== undefined;
    this.#sink.write(this.#sink.encode(frame));
  }

  /** Lets the frames wait at the realtime service, until this reader has taken what is here. */
  async #hold(taken: Promise<void>): Promise<void> {
    if (this.#waiting) return;
    this.#waiting = true;
    this.#stream.pause();
    await taken.catch((error: unknown) => this.end(this.#options.unreadable(error)));
    this.#waiting = false;
    this.#stream.resume();
  }

  /** Whoever reads slowly is cut off by the realtime service, whose goodbye could not come through. */
  #lost(): void {
    this.end(this.#waiting ? goodbye(Goodbye_Reason.SLOW_CONSUMER) : this.#options.lost());
  }

  #finish(reason: Goodbye_Reason | undefined): boolean {
    if (this.#ended) return false;
    this.#ended = true;
    this.#options.ended(this, reason);
    return true;
  }
}
