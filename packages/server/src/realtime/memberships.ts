import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type Event, EventSchema, Goodbye_Reason, ParlorError, Room_Visibility, RoomExited_Cause } from "@parlor/contract";
import type { Kysely } from "kysely";
import type { RoomEvent } from "../domain/room-event.ts";
import type { RoomFeed } from "../log/room-feed.ts";
import { myRoomMessage } from "../log/views.ts";
import { findMyRoom, membersOfRooms } from "../store/members.ts";
import type { Schema } from "../store/schema.ts";
import { catchUp } from "./catch-up.ts";
import type { Channels } from "./channels.ts";
import type { LiveConnection } from "./live-connection.ts";
import type { Follower } from "./room-channel.ts";
import type { Roster } from "./roster.ts";

/** Who comes into a room or goes out of it with an event. */
interface Move {
  readonly userId: string;
  /** Left out for somebody who comes in. */
  readonly cause?: RoomExited_Cause;
}

function moveOf({ kind, actorId }: Event): Move | undefined {
  switch (kind.case) {
    case "memberJoined":
      return { userId: kind.value.member?.userId ?? actorId };
    case "memberLeft":
      return { userId: kind.value.userId, cause: RoomExited_Cause.LEFT };
    case "memberRemoved":
      return { userId: kind.value.userId, cause: RoomExited_Cause.REMOVED };
    case "memberBanned":
      return { userId: kind.value.userId, cause: RoomExited_Cause.BANNED };
    default:
      return undefined;
  }
}

/** Lets live connections into rooms and out of them, as the rooms' logs say. */
export class Memberships {
  readonly #store: Kysely<Schema>;
  readonly #roster: Roster;
  readonly #channels: Channels;
  readonly #reportFault: (error: unknown) => void;
  /** Who is being let into which room, and the newest `seq` since when. */
  readonly #entering = new Map<string, number>();

  constructor(store: Kysely<Schema>, roster: Roster, channels: Channels, reportFault: (error: unknown) => void) {
    this.#store = store;
    this.#roster = roster;
    this.#channels = channels;
    this.#reportFault = reportFault;
  }

  /** Passes new events of a room to its channel; whoever leaves gets what came before, and nothing of what comes after. */
  observe(feed: RoomFeed, events: readonly RoomEvent[]): void {
    if (events.length === 0 && feed.policy.deleted) this.#closeRoom(feed.roomId, []);
    let start = 0;
    for (let i = 0; i < events.length; i++) {
      const event = (events[i] as RoomEvent).event;
      const move = moveOf(event);
      if (!move && event.kind.case !== "roomDeleted") continue;
      this.#channels.peek(feed.roomId)?.push(events.slice(start, i));
      start = i;
      if (!move) this.#closeRoom(feed.roomId, events.slice(i));
      else if (move.cause === undefined) this.#comeIn(feed.roomId, move.userId, event.seq);
      else this.#goOut(feed.roomId, move.userId, move.cause);
    }
    this.#channels.peek(feed.roomId)?.push(events.slice(start));
  }

  /** Carries out what happened while a connection was opening. */
  settle(connection: LiveConnection): void {
    for (const [roomId, change] of connection.takeNotes()) {
      if (change !== "left" && !connection.followers.has(roomId)) void this.#enter(connection, roomId, change);
    }
  }

  /**
   * Lets a person in, who is said to be a member since the event of this `seq`. Unlike the log, this word may be late: what the
   * log has said to a connection that is opening goes before it, and the Store is asked.
   */
  letIn(roomId: string, userId: string, seq: number): void {
    for (const connection of this.#roster.of(userId)) {
      if (connection.state !== "opening") void this.#enter(connection, roomId, seq);
      else if (connection.meanwhile.get(roomId) === undefined) connection.note(roomId, seq);
    }
  }

  #comeIn(roomId: string, userId: string, seq: number): void {
    for (const connection of this.#roster.of(userId)) {
      if (connection.state === "opening") connection.note(roomId, seq);
      else void this.#enter(connection, roomId, seq);
    }
  }

  #goOut(roomId: string, userId: string, cause: RoomExited_Cause): void {
    const connections = this.#roster.of(userId);
    if (connections.size === 0) return;
    this.#channels.peek(roomId)?.flush();
    for (const connection of connections) this.#exit(connection, roomId, cause);
  }

  /** The last event of a room still goes to everyone. */
  #closeRoom(roomId: string, last: readonly RoomEvent[]): void {
    const channel = this.#channels.peek(roomId);
    if (!channel) return;
    channel.push(last);
    channel.flush();
    for (const connection of [...this.#roster.all()]) this.#exit(connection, roomId, RoomExited_Cause.ROOM_DELETED);
  }

  #exit(connection: LiveConnection, roomId: string, cause: RoomExited_Cause): void {
    const follower = connection.followers.get(roomId);
    if (connection.state === "opening") connection.note(roomId, "left");
    if (!follower) return;
    this.#channels.leave(follower);
    if (connection.state === "open")
      connection.personal(personalEvent(roomId, { case: "roomExited", value: { $typeName: "parlor.v1.RoomExited", cause } }));
  }

  /** Word of the same may come from several sides: one entry at a time, and another after it if that was for nothing. */
  async #enter(connection: LiveConnection, roomId: string, seq: number): Promise<void> {
    if (connection.followers.has(roomId)) return;
    const key = `${connection.id} ${roomId}`;
    const known = this.#entering.get(key);
    this.#entering.set(key, Math.max(known ?? 0, seq));
    if (known !== undefined) return;
    try {
      const follower = await this.#follow(connection, roomId, seq);
      const newest = this.#entering.get(key) ?? seq;
      this.#entering.delete(key);
      if (follower) await catchUp(follower, seq - 1);
      else if (newest > seq) await this.#enter(connection, roomId, newest);
    } catch (error) {
      this.#entering.delete(key);
      // A room that was deleted meanwhile.
      if (error instanceof ParlorError) return;
      this.#reportFault(error);
      connection.end(Goodbye_Reason.INTERNAL);
    }
  }

  /** Says to the connection that it is in the room, if its person is a member; it is to catch up then. */
  async #follow(connection: LiveConnection, roomId: string, seq: number): Promise<Follower | undefined> {
    const { caller } = connection;
    if (!caller || connection.state === "ended") return undefined;
    const follower = await this.#channels.follow(connection, roomId);
    // The word of an entry may have been faster than that of what came before it.
    await follower.channel.feed.reaches(seq - 1);
    const row = await findMyRoom(this.#store, caller.userId, roomId);
    const people = await membersOfRooms(this.#store, row?.visibility === Room_Visibility.DIRECT ? [roomId] : []);
    if (follower.gone) return undefined;
    if (!row) return void this.#channels.leave(follower);
    const others = people.map((peer) => peer.user_id).filter((id) => id !== caller.userId);
    const room = myRoomMessage({ ...row, last_seq: seq - 1 }, caller.userId, others);
    connection.personal(personalEvent(roomId, { case: "roomEntered", value: { $typeName: "parlor.v1.RoomEntered", room } }));
    return follower;
  }
}

/** An event outside any room's log, for the connections of one person. */
export function personalEvent(roomId: string, kind: Event["kind"]): Event {
  return create(EventSchema, { roomId, at: timestampFromMs(Date.now()), kind });
}
