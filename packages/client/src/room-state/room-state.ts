import type { Event, Member, Message, Room } from "@parlor/contract";
import { eventsMissing } from "../errors.ts";
import { applyToMembers } from "./members.ts";
import { applyToMessages } from "./messages.ts";

/** What an application knows of a room: what GetRoom, ListMembers and ListMessages answer, as of `room.lastSeq`. */
export interface RoomState {
  /** Its `lastSeq` is that of the newest event that was applied. */
  readonly room: Room;
  /** All of them, in the order of their ids. */
  readonly members: readonly Member[];
  /** The newest ones, as many as there were at the beginning and all that came since, in rising `seq`. */
  readonly messages: readonly Message[];
  /** The room is gone, with all that was in it. */
  readonly deleted: boolean;
}

/**
 * The state of a room to apply events to. The room must have been fetched before its members and messages: events that those
 * know of already do no harm.
 * @param members every one; left out only for a room without a log, `create(RoomSchema, { id })`, to which everything is applied
 */
export function roomState(room: Room, members: readonly Member[] = [], messages: readonly Message[] = []): RoomState {
  return { room, members, messages, deleted: false };
}

/**
 * The state after an event; the same object when the event changes nothing. Applying every event gives the state that fetching
 * anew would give, but for `reactions[].userIds`, which names no more than it was given of those who reacted.
 * Events of other rooms, without `seq`, or applied already change nothing.
 * @throws ParlorError DATA_LOSS when an event before this one was not applied
 */
export function applyEvent(state: RoomState, event: Event): RoomState {
  const { room } = state;
  if (event.roomId !== room.id || event.seq <= room.lastSeq) return state;
  if (event.seq > room.lastSeq + 1) throw eventsMissing(room.id, room.lastSeq + 1, event.seq - 1);
  if (event.kind.case === "roomDeleted") return { room: { ...room, lastSeq: event.seq }, members: [], messages: [], deleted: true };
  const members = applyToMembers(state.members, event);
  return {
    room: { ...applyToRoom(room, event), ...(members !== state.members && { memberCount: members.length }), lastSeq: event.seq },
    members,
    messages: applyToMessages(state.messages, event),
    deleted: state.deleted,
  };
}

function applyToRoom(room: Room, { kind, at }: Event): Room {
  if (kind.case === "roomCreated" || kind.case === "roomUpdated") return kind.value.room ?? room;
  if (kind.case === "roomArchived") return { ...room, ...(at && { archivedAt: at }) };
  return room;
}
