import { BinaryReader } from "@bufbuild/protobuf/wire";
import { RoomEvent } from "./room-event.ts";

// ServerFrame.events: field 2, wire type 2 (length-delimited).
const EVENTS_TAG = 0x12;

function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest > 0x7f; rest >>>= 7) bytes++;
  return bytes;
}

/** How many bytes a ServerFrame with nothing but these events has in protobuf. */
export function eventBatchBytes(events: readonly RoomEvent[]): number {
  let bytes = 0;
  for (const { binary } of events) bytes += 1 + varintBytes(binary.length) + binary.length;
  return bytes;
}

/** Writes that ServerFrame: a repeated field is its items one after the other, so events that are encoded already are copied. */
export function writeEventBatch(events: readonly RoomEvent[], target: Buffer, offset: number): void {
  let at = offset;
  for (const { binary } of events) {
    target[at++] = EVENTS_TAG;
    let rest = binary.length;
    for (; rest > 0x7f; rest >>>= 7) target[at++] = (rest & 0x7f) | 0x80;
    target[at++] = rest;
    target.set(binary, at);
    at += binary.length;
  }
}

/** That ServerFrame by itself. */
export function eventBatch(events: readonly RoomEvent[]): Buffer {
  const frame = Buffer.allocUnsafe(eventBatchBytes(events));
  writeEventBatch(events, frame, 0);
  return frame;
}

/** The events of a ServerFrame, not decoded; undefined when it holds anything else. */
export function readEventBatch(frame: Uint8Array): RoomEvent[] | undefined {
  const reader = new BinaryReader(frame);
  const events: RoomEvent[] = [];
  while (reader.pos < reader.len) {
    if (reader.uint32() !== EVENTS_TAG) return undefined;
    events.push(readEvent(reader.bytes()));
  }
  return events;
}

// Event.room_id and Event.seq, the first two fields.
const ROOM_ID_TAG = 0x0a;
const SEQ_TAG = 0x10;

/** What is read of an event is its place: encoders write fields by their numbers, so that it stands at the beginning. */
function readEvent(binary: Uint8Array): RoomEvent {
  const reader = new BinaryReader(binary);
  let [roomId, seq] = ["", 0];
  let tag = reader.len > 0 ? reader.uint32() : 0;
  if (tag === ROOM_ID_TAG) {
    roomId = reader.string();
    tag = reader.pos < reader.len ? reader.uint32() : 0;
  }
  if (tag === SEQ_TAG) seq = reader.uint32();
  return RoomEvent.stored(roomId, seq, binary);
}
