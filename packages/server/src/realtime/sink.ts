import type { Goodbye, ServerFrame } from "@parlor/contract";
import type { RoomEvent } from "../domain/room-event.ts";

/** How a transport writes frames. One object per representation, shared by all connections that use it. */
export interface FrameFormat {
  /** Unique among formats; the key under which encoded bytes are shared. */
  readonly name: string;
  /** One frame that holds these events, ready for the network. All readers share the bytes; nobody changes them. */
  events(events: readonly RoomEvent[]): Uint8Array;
}

/** What a reader takes before it must acknowledge. Who has no room for a run leaves the live ones, and goes on from the log. */
export interface Window {
  /** How many durable events such as this one it takes now. */
  sizeFor(first: RoomEvent): number;
  /** Resolves when that has become more than none, or the way is closed. */
  opened(first: RoomEvent): Promise<void>;
}

/** Whether a reader keeps up: these bytes may wait beside those that wait already. */
export function keepsUp(sink: Sink, bytes: Uint8Array, outboundBytes: number): boolean {
  return sink.queuedBytes + bytes.length <= outboundBytes;
}

/** The way of bytes to one reader, as far as they are not the sink's affair. */
export interface Passage {
  /** Writes the bytes, as a whole, unless others wait before them. Says whether it did. Never throws. */
  pass(bytes: Uint8Array): boolean;
}

/** How events go to a reader that takes each run of them as it comes: always in one format, whole, and without being counted. */
export interface FastPath {
  readonly format: FrameFormat;
  readonly passage: Passage;
}

/** One connection's way out, made by its transport. */
export interface Sink {
  /**
   * How a run of events is written to this reader, told by the first of them: a run is of one room, and durable, or a single
   * event that is not. Undefined when the reader has not asked for such events.
   */
  formatFor(first: RoomEvent): FrameFormat | undefined;
  /**
   * The fast path of a room's durable events; undefined, or left out, where each run has to be written by `write`. It is asked for
   * when the reader goes live in the room, and again after `Connection.interestChanged`. After `end` nobody uses it.
   */
  fastPathOf?(roomId: string): FastPath | undefined;
  /** Any other frame, ready for the network. */
  encode(frame: ServerFrame): Uint8Array;
  /**
   * Hands bytes made by `encode`, or from `events` by a format, to the network, in order, at once. Never throws; does nothing
   * once the way is closed.
   */
  write(bytes: Uint8Array, events?: readonly RoomEvent[]): void;
  /** Bytes written that the network has not taken yet. */
  readonly queuedBytes: number;
  /** Resolves when all that was written has been taken by the network, or the way is closed. */
  drained(): Promise<void>;
  /** For a reader that acknowledges events. Left out: it takes any number. */
  readonly window?: Window;
  /** For a protocol in which the client says how long it may be silent (milliseconds). Left out: until after a heartbeat. */
  readonly silenceMs?: number | undefined;
  /** Says that the server is here, and asks for a sign of life, which comes back by Connection.alive or as a frame. */
  beat(): void;
  /** Writes the goodbye as the last frame and closes with the code that the protocol has for its reason. */
  end(goodbye: Goodbye): void;
}
