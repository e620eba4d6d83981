import { create, toBinary } from "@bufbuild/protobuf";
import { type ServerFrame, ServerFrameSchema } from "@parlor/contract";
import { eventBatchBytes, writeEventBatch } from "../../domain/event-batch.ts";
import type { RoomEvent } from "../../domain/room-event.ts";
import type { FrameFormat } from "../../realtime/sink.ts";
import { emptyMessage, PREFIX_BYTES } from "./messages.ts";

/** Frames as gRPC messages with their prefix, so that one buffer serves every reader. */
export const grpcFormat: FrameFormat = {
  name: "grpc",
  events(events: readonly RoomEvent[]): Uint8Array {
    const message = emptyMessage(eventBatchBytes(events));
    writeEventBatch(events, message, PREFIX_BYTES);
    return message;
  },
};

export function encodeFrame(frame: ServerFrame): Uint8Array {
  const payload = toBinary(ServerFrameSchema, frame);
  const message = emptyMessage(payload.length);
  message.set(payload, PREFIX_BYTES);
  return message;
}

/** A frame with nothing in it, which says only "I am here". */
export const beat = encodeFrame(create(ServerFrameSchema));
