import {
  type ArchiveRoomRequest,
  type DeleteRoomRequest,
  invalidFields,
  Member_Role,
  type Room_Permissions,
  Room_Visibility,
  type UpdateRoomRequest,
  type Violation,
} from "@parlor/contract";
import { type Call, callerOf } from "../../domain/call.ts";
import { requireNotDirect, requireOpen, requireRole } from "../../domain/permissions.ts";
import { roomMessage } from "../../log/views.ts";
import { deleteMembers } from "../../store/members.ts";
import type { RoomRow } from "../../store/rooms.ts";
import type { RoomsContext } from "./context.ts";

/** @throws ParlorError INVALID_ARGUMENT for what no room may be set to */
export function requireSettable(visibility: Room_Visibility | undefined, permissions: Room_Permissions | undefined): void {
  const violations: Violation[] = [];
  if (visibility !== undefined && visibility !== Room_Visibility.PUBLIC && visibility !== Room_Visibility.PRIVATE) {
    violations.push({ field: "visibility", description: "must be PUBLIC or PRIVATE; direct conversations are opened with OpenDirect" });
  }
  if (permissions?.post === Member_Role.READ_ONLY) {
    violations.push({ field: "permissions.post", description: "must be MEMBER, MODERATOR or OWNER" });
  }
  if (violations.length > 0) throw invalidFields(...violations);
}

/** `trim`: called when messages may be past their time now. */
export async function updateRoom(context: RoomsContext, request: UpdateRoomRequest, call: Call, trim: () => void) {
  const caller = callerOf(call);
  requireSettable(request.visibility, request.permissions);
  const room = await context.writer.change(request.roomId, async (tx) => {
    const standing = await tx.standing(caller);
    requireRole(standing, ownersOnly(request) ? Member_Role.OWNER : Member_Role.MODERATOR, "change this");
    requireNotDirect(standing.rules);
    requireOpen(standing.rules);
    const change = changeOf(request, tx.row);
    if (Object.keys(change).length === 0) return roomMessage(tx.row);
    await tx.update(change);
    const after = { ...roomMessage(tx.row), lastSeq: tx.row.last_seq + 1 };
    tx.append(caller.userId, { case: "roomUpdated", value: { $typeName: "parlor.v1.RoomUpdated", room: after } });
    return after;
  });
  if (request.retentionSeconds !== undefined) trim();
  return { room };
}

function ownersOnly({ visibility, permissions, retentionSeconds }: UpdateRoomRequest): boolean {
  return visibility !== undefined || permissions !== undefined || retentionSeconds !== undefined;
}

/** The columns that a request changes; those that stay as they are are left out, so that nothing happens for nothing. */
function changeOf(request: UpdateRoomRequest, row: RoomRow): Partial<RoomRow> {
  const wanted: Partial<RoomRow> = {
    ...(request.name !== undefined && { name: request.name }),
    ...(request.topic !== undefined && { topic: request.topic }),
    ...(request.visibility !== undefined && { visibility: request.visibility }),
    ...(request.permissions?.post && { post_role: request.permissions.post }),
    ...(request.slowModeSeconds !== undefined && { slow_mode_seconds: request.slowModeSeconds }),
    ...(request.retentionSeconds !== undefined && { retention_seconds: request.retentionSeconds || null }),
  };
  return Object.fromEntries(Object.entries(wanted).filter(([column, value]) => row[column as keyof RoomRow] !== value));
}

export async function archiveRoom(context: RoomsContext, { roomId }: ArchiveRoomRequest, call: Call) {
  const caller = callerOf(call);
  const room = await context.writer.change(roomId, async (tx) => {
    const standing = await tx.standing(caller);
    requireRole(standing, Member_Role.OWNER, "archive it");
    requireNotDirect(standing.rules);
    if (standing.rules.archived) return roomMessage(tx.row);
    await tx.update({ archived_at: tx.now });
    tx.append(caller.userId, { case: "roomArchived", value: { $typeName: "parlor.v1.RoomArchived" } });
    return roomMessage(tx.row);
  });
  return { room };
}

/** The room is gone with the commit; its content is removed a little later, bit by bit. */
export async function deleteRoom(context: RoomsContext, { roomId }: DeleteRoomRequest, call: Call, purge: () => void) {
  const caller = callerOf(call);
  await context.writer.change(roomId, async (tx) => {
    const standing = await tx.standing(caller);
    requireRole(standing, Member_Role.OWNER, "delete it");
    requireNotDirect(standing.rules);
    await tx.update({ deleted_at: tx.now, member_count: 0 });
    await deleteMembers(tx.store, roomId);
    tx.append(caller.userId, { case: "roomDeleted", value: { $typeName: "parlor.v1.RoomDeleted" } });
  });
  purge();
  return {};
}
