import {
  type GetRoomRequest,
  type ListMembersRequest,
  type ListMyRoomsRequest,
  type ListRoomsRequest,
  Room_Visibility,
} from "@parlor/contract";
import { type Call, callerOf } from "../../domain/call.ts";
import { pageScope, pageSizeOf } from "../../domain/page-tokens.ts";
import { notExisting } from "../../domain/refusals.ts";
import { memberMessage, myRoomMessage, roomMessage } from "../../log/views.ts";
import { findMember, listRoomsOf, membersOfRooms, listMembers as selectMembers } from "../../store/members.ts";
import { findRoom, listPublicRooms } from "../../store/rooms.ts";
import { wordsBeginning } from "../../store/users.ts";
import type { RoomsContext } from "./context.ts";
import { readableRoom } from "./room-access.ts";

export async function listRooms({ store, pageTokens }: RoomsContext, { query, pageSize, pageToken }: ListRoomsRequest, call: Call) {
  const scope = pageScope("rooms", callerOf(call).userId, query);
  const key = pageTokens.open(scope, pageToken);
  const limit = pageSizeOf(pageSize);
  const after = key && { name: String(key[0]), id: String(key[1]) };
  const rows = await listPublicRooms(store, { words: query.trim() === "" ? undefined : wordsBeginning(query), after, limit: limit + 1 });
  const { items, nextPageToken } = pageTokens.cut(scope, rows, limit, (last) => [last.name_key, last.id]);
  return { rooms: items.map(roomMessage), nextPageToken };
}

export async function listMyRooms({ store, pageTokens }: RoomsContext, { pageSize, pageToken }: ListMyRoomsRequest, call: Call) {
  const { userId } = callerOf(call);
  const scope = pageScope("my rooms", userId);
  const [after] = pageTokens.open(scope, pageToken) ?? [];
  const limit = pageSizeOf(pageSize);
  const rows = await listRoomsOf(store, userId, after as string | undefined, limit + 1);
  const { items, nextPageToken } = pageTokens.cut(scope, rows, limit, (last) => [last.id]);
  const peers = await peersOf(store, items, userId);
  return { rooms: items.map((row) => myRoomMessage(row, userId, peers.get(row.id) ?? [])), nextPageToken };
}

/** The others in each direct conversation among these rooms. */
async function peersOf(
  store: RoomsContext["store"],
  rooms: readonly { readonly id: string; readonly visibility: number }[],
  userId: string,
): Promise<Map<string, string[]>> {
  const directs = rooms.filter((room) => room.visibility === Room_Visibility.DIRECT).map((room) => room.id);
  const peers = new Map<string, string[]>();
  if (directs.length === 0) return peers;
  for (const { room_id, user_id } of await membersOfRooms(store, directs)) {
    if (user_id !== userId) peers.set(room_id, [...(peers.get(room_id) ?? []), user_id]);
  }
  return peers;
}

export async function getRoom(context: RoomsContext, { roomId }: GetRoomRequest, call: Call) {
  await readableRoom(context.feeds, context.store, roomId, call, context.clock.now());
  const row = await findRoom(context.store, roomId);
  if (!row) throw notExisting();
  const member = await findMember(context.store, roomId, callerOf(call).userId);
  return { room: roomMessage(row), ...(member && { member: memberMessage(member) }) };
}

export async function listMembers(context: RoomsContext, { roomId, pageSize, pageToken }: ListMembersRequest, call: Call) {
  await readableRoom(context.feeds, context.store, roomId, call, context.clock.now());
  const scope = pageScope("members", callerOf(call).userId, roomId);
  const [after] = context.pageTokens.open(scope, pageToken) ?? [];
  const limit = pageSizeOf(pageSize);
  const rows = await selectMembers(context.store, roomId, after as string | undefined, limit + 1);
  const { items, nextPageToken } = context.pageTokens.cut(scope, rows, limit, (last) => [last.user_id]);
  return { members: items.map(memberMessage), nextPageToken };
}
