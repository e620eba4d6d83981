import { hash } from "node:crypto";
import {
  Code,
  type CreateRoomRequest,
  invalidFields,
  Member_Role,
  type OpenDirectRequest,
  ParlorError,
  Reason,
  Room_Visibility,
} from "@parlor/contract";
import { type Call, callerOf } from "../../domain/call.ts";
import { newId } from "../../domain/ids.ts";
import type { RoomTransaction } from "../../log/room-transaction.ts";
import { memberMessage, roomMessage } from "../../log/views.ts";
import { DatabaseError } from "../../ports/database.ts";
import { insertMembers, type MemberRow } from "../../store/members.ts";
import { findDirectRoom, insertRoom, type RoomRow } from "../../store/rooms.ts";
import { findUsers } from "../../store/users.ts";
import type { RoomsContext } from "./context.ts";
import { requireSettable } from "./settings.ts";

export async function createRoom(context: RoomsContext, request: CreateRoomRequest, call: Call) {
  const { userId } = callerOf(call);
  const visibility = request.visibility === Room_Visibility.VISIBILITY_UNSPECIFIED ? Room_Visibility.PRIVATE : request.visibility;
  requireSettable(visibility, request.permissions);
  if (visibility === Room_Visibility.PUBLIC && request.memberIds.length > 0) {
    throw invalidFields({ field: "member_ids", description: "must be empty for a public room, which people join by themselves" });
  }
  const others = request.memberIds.filter((id) => id !== userId);
  await requirePeople(context, others, "member_ids");
  const row = newRoom(newId(context.clock.now()), userId, new Date(context.clock.now()), {
    visibility,
    name: request.name,
    topic: request.topic,
    post_role: request.permissions?.post || Member_Role.MEMBER,
    slow_mode_seconds: request.slowModeSeconds,
  });
  const room = await context.writer.create(row.id, (tx) => begin(tx, row, [userId], others));
  return { room };
}

export async function openDirect(context: RoomsContext, request: OpenDirectRequest, call: Call) {
  const { userId } = callerOf(call);
  const people = [...new Set([userId, ...request.userIds])].sort();
  if (people.length < 2) throw invalidFields({ field: "user_ids", description: "must name somebody other than yourself" });
  if (people.length > 10) throw invalidFields({ field: "user_ids", description: "must name at most 9 others" });
  const direct_key = hash("sha256", people.join(" "));
  const known = await findDirectRoom(context.store, direct_key);
  if (known) return { room: roomMessage(known), created: false };
  await requirePeople(
    context,
    people.filter((id) => id !== userId),
    "user_ids",
  );
  const now = context.clock.now();
  const row = newRoom(newId(now), userId, new Date(now), { visibility: Room_Visibility.DIRECT, direct_key });
  try {
    return { room: await context.writer.create(row.id, (tx) => begin(tx, row, [], people)), created: true };
  } catch (error) {
    // Somebody else among them was faster.
    if (!(error instanceof DatabaseError) || error.kind !== "unique") throw error;
    return openDirect(context, request, call);
  }
}

function newRoom(id: string, createdBy: string, at: Date, given: Partial<RoomRow>): RoomRow {
  return {
    id,
    visibility: Room_Visibility.PRIVATE,
    name: "",
    topic: "",
    created_by: createdBy,
    created_at: at,
    archived_at: null,
    deleted_at: null,
    last_seq: 0,
    policy_seq: 0,
    member_count: 0,
    post_role: Member_Role.MEMBER,
    slow_mode_seconds: 0,
    retention_seconds: null,
    first_seq: 1,
    direct_key: null,
    ...given,
  };
}

/** Stores a room with its first members and begins its log: the room at `seq` 1, then a member each. */
async function begin(tx: RoomTransaction, row: RoomRow, owners: readonly string[], others: readonly string[]) {
  const people = [...owners.map((id) => ({ id, role: Member_Role.OWNER })), ...others.map((id) => ({ id, role: Member_Role.MEMBER }))];
  const room = { ...row, member_count: people.length };
  const members: MemberRow[] = people.map(({ id, role }) => ({
    room_id: row.id,
    user_id: id,
    role,
    muted_until: null,
    joined_at: tx.now,
    read_seq: 0,
    last_sent_at: null,
  }));
  await insertRoom(tx.store, room);
  await insertMembers(tx.store, members);
  tx.begin(room);
  tx.append(row.created_by, {
    case: "roomCreated",
    value: { $typeName: "parlor.v1.RoomCreated", room: { ...roomMessage(room), lastSeq: 1 } },
  });
  for (const member of members) {
    tx.append(row.created_by, { case: "memberJoined", value: { $typeName: "parlor.v1.MemberJoined", member: memberMessage(member) } });
  }
  return roomMessage(tx.row);
}

/** @throws ParlorError NOT_FOUND that says whom: everyone who does not exist or whose account is closed */
async function requirePeople({ store }: RoomsContext, ids: readonly string[], field: string): Promise<void> {
  if (ids.length === 0) return;
  const open = new Set((await findUsers(store, ids)).filter((user) => user.deactivated_at === null).map((user) => user.id));
  const violations = ids.flatMap((id) =>
    open.has(id) ? [] : [{ field, description: `must name people with open accounts; ${id} is not one` }],
  );
  if (violations.length === 0) return;
  throw new ParlorError(Code.NOT_FOUND, Reason.NOT_EXISTING, "Not all of these people have an open account here.", { violations });
}
