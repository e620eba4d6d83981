import { Reason } from "@parlor/contract";
import type { Kysely } from "kysely";
import { type Call, callerOf } from "../../domain/call.ts";
import { mayRead, type Standing } from "../../domain/permissions.ts";
import { denied, notExisting } from "../../domain/refusals.ts";
import type { Feeds } from "../../log/feeds.ts";
import type { RoomFeed } from "../../log/room-feed.ts";
import { findBan } from "../../store/members.ts";
import type { Schema } from "../../store/schema.ts";

/** A room that the caller may read. */
export interface ReadableRoom {
  readonly feed: RoomFeed;
  readonly standing: Standing;
}

/**
 * The room, if the caller may read it.
 * @throws ParlorError NOT_FOUND, the same for a room that does not exist; PERMISSION_DENIED for someone banned from a public room
 */
export async function readableRoom(feeds: Feeds, store: Kysely<Schema>, roomId: string, call: Call, now: number): Promise<ReadableRoom> {
  const caller = callerOf(call);
  const feed = await feeds.get(roomId);
  const member = await feed.member(caller.userId);
  const standing = { caller, member, rules: feed.policy.rules };
  if (feed.policy.deleted || !mayRead(standing)) throw notExisting();
  if (!member) await requireNotBanned(store, roomId, caller.userId, now);
  return { feed, standing };
}

/** @throws ParlorError PERMISSION_DENIED */
export async function requireNotBanned(store: Kysely<Schema>, roomId: string, userId: string, now: number): Promise<void> {
  if (await findBan(store, roomId, userId, new Date(now))) throw denied(Reason.BANNED, "You are banned from this room.");
}
