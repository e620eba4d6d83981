import { create } from "@bufbuild/protobuf";
import {
  type Event,
  EventSchema,
  type Gap,
  GapSchema,
  RoomExited_Cause,
  type Welcome,
  Welcome_Outcome,
  type Welcome_RoomState,
} from "@parlor/contract";
import type { Cursor, Cursors } from "./cursors.ts";

/** What happened to the caller's rooms between two connections. */
export interface RoomChanges {
  /** Personal events that were missed: rooms entered and exited, read markers that moved. */
  readonly events: readonly Event[];
  /** What the server will not send. */
  readonly gaps: readonly Gap[];
  /** Rooms that the hello had no space for and that have gone on: read them from the log up to `seq`. */
  readonly behind: readonly Cursor[];
}

/**
 * Compares a welcome with what this side knows, and brings the cursors up to it. A first welcome tells of rooms that nobody
 * entered just now, so no event is made of them.
 */
export function roomsAfterWelcome(welcome: Welcome, cursors: Cursors, first: boolean): RoomChanges {
  const changes = { events: [] as Event[], gaps: [] as Gap[], behind: [] as Cursor[] };
  const readable = new Set<string>();
  for (const room of welcome.rooms) {
    if (room.outcome === Welcome_Outcome.NOT_EXISTING) continue;
    readable.add(room.roomId);
    if (cursors.get(room.roomId) === undefined) enter(room, cursors, first, changes.events);
    else goOn(room, cursors, first, changes);
  }
  for (const roomId of cursors.roomIds) {
    if (!readable.has(roomId) && cursors.leave(roomId)) changes.events.push(exitedMeanwhile(roomId));
  }
  return changes;
}

function enter({ roomId, lastSeq, readSeq }: Welcome_RoomState, cursors: Cursors, first: boolean, events: Event[]): void {
  cursors.enter(roomId, { seq: lastSeq, readSeq, fresh: false });
  // The welcome brings no more of the room than this; an application that shows it asks for it with GetRoom.
  if (!first) events.push(create(EventSchema, { roomId, kind: { case: "roomEntered", value: {} } }));
}

function goOn(
  room: Welcome_RoomState,
  cursors: Cursors,
  first: boolean,
  changes: { events: Event[]; gaps: Gap[]; behind: Cursor[] },
): void {
  const { roomId, lastSeq, readSeq, outcome } = room;
  const { seq = 0, fresh } = cursors.get(roomId) ?? {};
  if (fresh) cursors.advance(roomId, seq);
  if (cursors.markRead(roomId, readSeq) && !first) {
    changes.events.push(create(EventSchema, { roomId, kind: { case: "readMarked", value: { readSeq } } }));
  }
  if (outcome === Welcome_Outcome.GAP) {
    const to = room.gap?.to ?? lastSeq;
    if (to > seq) changes.gaps.push(create(GapSchema, { roomId, from: seq + 1, to }));
  } else if (outcome === Welcome_Outcome.OUTCOME_UNSPECIFIED && lastSeq > seq) {
    changes.behind.push({ roomId, seq: lastSeq });
  }
}

/** A room was exited while nobody told why. */
export function exitedMeanwhile(roomId: string): Event {
  return create(EventSchema, { roomId, kind: { case: "roomExited", value: { cause: RoomExited_Cause.CAUSE_UNSPECIFIED } } });
}
