// Events and errors of the contract, as short as tests want them.
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type Event, EventSchema } from "@parlor/contract";

export const ROOM = "01900000-0000-7000-8000-000000000001";
export const OTHER_ROOM = "01900000-0000-7000-8000-000000000002";
export const ME = "01900000-0000-7000-8000-00000000000a";
export const PEER = "01900000-0000-7000-8000-00000000000b";

export function happened(seq: number, kind: Event["kind"], { roomId = ROOM, actorId = PEER } = {}): Event {
  return create(EventSchema, { roomId, seq, at: timestampFromMs(1_900_000_000_000 + seq * 1000), actorId, kind });
}

export function sent(seq: number, text = `text ${seq}`, { roomId = ROOM, actorId = PEER, clientMessageId = "" } = {}): Event {
  const message = {
    id: messageId(seq),
    roomId,
    seq,
    authorId: actorId,
    text,
    clientMessageId,
    createdAt: timestampFromMs(1_900_000_000_000 + seq * 1000),
  };
  const event = create(EventSchema, { roomId, seq, actorId, at: message.createdAt, kind: { case: "messageSent", value: { message } } });
  return event;
}

export function messageId(seq: number): string {
  return `01900000-0000-7000-9000-${seq.toString(16).padStart(12, "0")}`;
}

export function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}
