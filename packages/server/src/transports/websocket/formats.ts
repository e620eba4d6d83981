import { create, toBinary, toJson } from "@bufbuild/protobuf";
import { type ServerFrame, ServerFrameSchema } from "@parlor/contract";
import { eventBatchBytes, writeEventBatch } from "../../domain/event-batch.ts";
import type { RoomEvent } from "../../domain/room-event.ts";
import type { FrameFormat } from "../../realtime/sink.ts";
import { BINARY, emptyFrame, headerBytes, TEXT } from "./frames.ts";

/** How a subprotocol writes its frames: as whole WebSocket frames, so that one buffer serves every reader. */
export interface WebSocketFormat extends FrameFormat {
  frame(frame: ServerFrame): Uint8Array;
  /** A frame with nothing in it, which says only "I am here". */
  readonly beat: Uint8Array;
}

const nothing = create(ServerFrameSchema);

/** One JSON frame in a text message. */
export const jsonFormat: WebSocketFormat = {
  name: "websocket-json",
  beat: textFrame(frameJson(nothing)),
  events: (events: readonly RoomEvent[]) => textFrame(`{"events":[${events.map((event) => event.json).join(",")}]}`),
  frame: (frame: ServerFrame) => textFrame(frameJson(frame)),
};

/** One protobuf frame in a binary message. */
export const protoFormat: WebSocketFormat = {
  name: "websocket-proto",
  beat: binaryFrame(nothing),
  events(events: readonly RoomEvent[]): Uint8Array {
    const bytes = eventBatchBytes(events);
    const frame = emptyFrame(BINARY, bytes);
    writeEventBatch(events, frame, headerBytes(bytes));
    return frame;
  },
  frame: binaryFrame,
};

function binaryFrame(message: ServerFrame): Buffer {
  const payload = toBinary(ServerFrameSchema, message);
  const frame = emptyFrame(BINARY, payload.length);
  frame.set(payload, headerBytes(payload.length));
  return frame;
}

function textFrame(text: string): Buffer {
  const bytes = Buffer.byteLength(text);
  const frame = emptyFrame(TEXT, bytes);
  frame.write(text, headerBytes(bytes));
  return frame;
}

/** A frame with the names that have something in them, and each of those with all its fields, as in an event batch. */
function frameJson(frame: ServerFrame): string {
  const json = toJson(ServerFrameSchema, frame, { alwaysEmitImplicit: true }) as Record<string, unknown>;
  for (const name of ["events", "replies"]) if ((json[name] as unknown[]).length === 0) delete json[name];
  return JSON.stringify(json);
}
