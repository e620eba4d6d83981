import { fromBinary } from "@bufbuild/protobuf";
import { type ServerFrame, ServerFrameSchema } from "@parlor/contract";
import { BoundedMap } from "../../domain/bounded-map.ts";
import { readEventBatch } from "../../domain/event-batch.ts";
import type { RoomEvent } from "../../domain/room-event.ts";
import type { FrameFormat } from "../../realtime/sink.ts";

/** Frames kept at a time: those of a room come one after the other for all its readers. */
const most = 32;

/** A run of events as the realtime service sent it, with its bytes for each protocol of a reader. */
export class SharedRun {
  readonly events: readonly RoomEvent[];
  readonly #bytes = new Map<FrameFormat, Uint8Array>();

  constructor(events: readonly RoomEvent[]) {
    this.events = events;
  }

  bytes(format: FrameFormat): Uint8Array {
    let bytes = this.#bytes.get(format);
    if (!bytes) {
      bytes = format.events(this.events);
      this.#bytes.set(format, bytes);
    }
    return bytes;
  }
}

/**
 * Reads what the realtime service sends. The same run of events comes over the stream of every reader of a room; it is taken
 * apart for the first of them, and the others share it.
 */
export class SharedFrames {
  readonly #recent = new BoundedMap<string, SharedRun>(most);

  /** @param message a ServerFrame in protobuf, which holds either events or anything else */
  read(message: Buffer): SharedRun | ServerFrame {
    const key = message.toString("latin1");
    const known = this.#recent.get(key);
    if (known) return known;
    const events = readEventBatch(message);
    if (!events) return fromBinary(ServerFrameSchema, message);
    const run = new SharedRun(events);
    this.#recent.set(key, run);
    return run;
  }
}
