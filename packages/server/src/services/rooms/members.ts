import { timestampMs } from "@bufbuild/protobuf/wkt";
import {
  type JoinRoomRequest,
  type LeaveRoomRequest,
  Member_Role,
  Reason,
  type RemoveMemberRequest,
  Room_Visibility,
  type SetMemberRequest,
} from "@parlor/contract";
import { type Call, callerOf } from "../../domain/call.ts";
import {
  effectiveRole,
  mayRead,
  requireAbove,
  requireNotDirect,
  requireOpen,
  requireRole,
  type Standing,
} from "../../domain/permissions.ts";
import { denied, notExisting, precondition } from "../../domain/refusals.ts";
import type { RoomTransaction } from "../../log/room-transaction.ts";
import { memberMessage, roomMessage } from "../../log/views.ts";
import {
  countMembersWithRole,
  deleteMember,
  findBan,
  findMember,
  insertMembers,
  type MemberRow,
  updateMember,
} from "../../store/members.ts";
import { holdActiveUser } from "../../store/users.ts";
import type { RoomsContext } from "./context.ts";
import { requireNotBanned } from "./room-access.ts";

export async function joinRoom(context: RoomsContext, { roomId }: JoinRoomRequest, call: Call) {
  const caller = callerOf(call);
  return context.writer.change(roomId, async (tx) => {
    const standing = await tx.standing(caller);
    if (!mayRead(standing)) throw notExisting();
    const known = await findMember(tx.store, roomId, caller.userId);
    if (known) return { room: roomMessage(tx.row), member: memberMessage(known) };
    await requireNotBanned(tx.store, roomId, caller.userId, tx.now.getTime());
    requireOpen(standing.rules);
    const member = await addMember(tx, caller.userId, caller.userId, Member_Role.MEMBER);
    return { room: roomMessage(tx.row), member };
  });
}

export async function leaveRoom(context: RoomsContext, { roomId }: LeaveRoomRequest, call: Call) {
  const caller = callerOf(call);
  await context.writer.change(roomId, async (tx) => {
    const standing = await tx.standing(caller);
    if (!mayRead(standing)) throw notExisting();
    if (!standing.member) return;
    requireNotDirect(standing.rules);
    if (tx.row.member_count > 1) await requireOtherOwner(tx, standing.member.role);
    await removeRow(tx, caller.userId);
    tx.append(caller.userId, { case: "memberLeft", value: { $typeName: "parlor.v1.MemberLeft", userId: caller.userId } });
  });
  return {};
}

export async function setMember(context: RoomsContext, request: SetMemberRequest, call: Call) {
  const caller = callerOf(call);
  const member = await context.writer.change(request.roomId, async (tx) => {
    const standing = await tx.standing(caller);
    requireRole(standing, Member_Role.MODERATOR, "change members");
    requireNotDirect(standing.rules);
    requireOpen(standing.rules);
    if ((request.role ?? 0) > effectiveRole(standing)) throw denied(Reason.ROLE_TOO_LOW, "You may not give a role above your own.");
    const row = await findMember(tx.store, request.roomId, request.userId);
    return row ? changeMember(tx, standing, row, request) : bringIn(tx, standing, request);
  });
  return { member };
}

export async function removeMember(context: RoomsContext, { roomId, userId }: RemoveMemberRequest, call: Call) {
  const caller = callerOf(call);
  await context.writer.change(roomId, async (tx) => {
    const standing = await tx.standing(caller);
    requireRole(standing, Member_Role.MODERATOR, "remove members");
    requireNotDirect(standing.rules);
    requireOpen(standing.rules);
    const target = await tx.member(userId);
    if (!target) throw notExisting();
    await expel(tx, standing, userId, target.role);
    tx.append(caller.userId, { case: "memberRemoved", value: { $typeName: "parlor.v1.MemberRemoved", userId } });
  });
  return {};
}

/** Takes a member out, whom the caller must stand above; the event is the caller's to append. */
export async function expel(tx: RoomTransaction, standing: Standing, userId: string, role: Member_Role): Promise<void> {
  requireAbove(standing, role);
  await requireOtherOwner(tx, role);
  await removeRow(tx, userId);
}

async function removeRow(tx: RoomTransaction, userId: string): Promise<void> {
  await deleteMember(tx.store, tx.roomId, userId);
  await tx.update({ member_count: tx.row.member_count - 1 });
}

async function addMember(tx: RoomTransaction, actorId: string, userId: string, role: Member_Role, mutedUntil: Date | null = null) {
  const row: MemberRow = {
    room_id: tx.roomId,
    user_id: userId,
    role,
    muted_until: mutedUntil,
    joined_at: tx.now,
    read_seq: tx.row.last_seq,
    last_sent_at: null,
  };
  await insertMembers(tx.store, [row]);
  await tx.update({ member_count: tx.row.member_count + 1 });
  const member = memberMessage(row);
  tx.append(actorId, { case: "memberJoined", value: { $typeName: "parlor.v1.MemberJoined", member } });
  return member;
}

/** Adding somebody else is for private rooms: into public ones people come by themselves. */
async function bringIn(tx: RoomTransaction, { caller, rules }: Standing, request: SetMemberRequest) {
  if (rules.visibility !== Room_Visibility.PRIVATE) throw notExisting();
  const person = await holdActiveUser(tx.store, request.userId);
  if (!person) throw notExisting();
  if (await findBan(tx.store, tx.roomId, request.userId, tx.now)) {
    throw denied(Reason.BANNED, "This person is banned from the room; lift the ban first.");
  }
  const mutedUntil = request.mutedUntil ? new Date(timestampMs(request.mutedUntil)) : null;
  return addMember(tx, caller.userId, request.userId, request.role || Member_Role.MEMBER, mutedUntil);
}

async function changeMember(tx: RoomTransaction, standing: Standing, row: MemberRow, request: SetMemberRequest) {
  const role: Member_Role = request.role || row.role;
  const asked = request.mutedUntil ? new Date(timestampMs(request.mutedUntil)) : row.muted_until;
  const muted_until = asked && asked > tx.now ? asked : null;
  if (role === row.role && muted_until?.getTime() === row.muted_until?.getTime()) return memberMessage(row);
  requireAbove(standing, row.role);
  if (role < row.role) await requireOtherOwner(tx, row.role);
  await updateMember(tx.store, row.room_id, row.user_id, { role, muted_until });
  const member = memberMessage({ ...row, role, muted_until });
  tx.append(standing.caller.userId, { case: "memberUpdated", value: { $typeName: "parlor.v1.MemberUpdated", member } });
  return member;
}

/** @throws ParlorError FAILED_PRECONDITION when somebody with this role is the only owner */
async function requireOtherOwner(tx: RoomTransaction, role: Member_Role): Promise<void> {
  if (role !== Member_Role.OWNER || (await countMembersWithRole(tx.store, tx.roomId, Member_Role.OWNER)) > 1) return;
  throw precondition(Reason.LAST_OWNER, "The room must keep an owner: make somebody else one first.");
}
