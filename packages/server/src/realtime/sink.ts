import type { Goodbye, ServerFrame } from "@parlor/contract";
import type { RoomEvent } from "../domain/room-event.ts";

/** How a transport writes frames. One object per representation, shared by all connections that use it. */
export interface FrameFormat {
  /** Unique among formats; the key under which encoded bytes are shared. */
  readonly name: string;
  /** One frame that holds these events, ready for the network. All readers share the bytes; nobody changes them. */
  events(events: readonly RoomEvent[]): Uint8Array;
  /** Any other frame. */
  frame(frame: ServerFrame): Uint8Array;
}

/** One connection's way out, made by its transport. */
export interface Sink {
  readonly format: FrameFormat;
  /** Hands bytes made by `format` to the network, in order, at once. Never throws; does nothing once the way is closed. */
  write(bytes: Uint8Array): void;
  /** Bytes written that the network has not taken yet. */
  readonly queuedBytes: number;
  /** Resolves when all that was written has been taken by the network, or the way is closed. */
  drained(): Promise<void>;
  /** Asks the other side for a sign of life below the level of frames; the answer comes back by Connection.alive. */
  ping(): void;
  /** Writes the goodbye as the last frame and closes with the code that the protocol has for its reason. */
  end(goodbye: Goodbye): void;
}
