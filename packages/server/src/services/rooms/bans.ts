import { timestampMs } from "@bufbuild/protobuf/wkt";
import { type BanUserRequest, invalidFields, type ListBansRequest, Member_Role, type UnbanUserRequest } from "@parlor/contract";
import { type Call, callerOf } from "../../domain/call.ts";
import { pageScope, pageSizeOf } from "../../domain/page-tokens.ts";
import { requireAbove, requireNotDirect, requireOpen, requireRole } from "../../domain/permissions.ts";
import { notExisting } from "../../domain/refusals.ts";
import { banMessage } from "../../log/views.ts";
import { deleteBan, putBan, listBans as selectBans } from "../../store/members.ts";
import { findUser } from "../../store/users.ts";
import type { RoomsContext } from "./context.ts";
import { expel } from "./members.ts";
import { readableRoom } from "./room-access.ts";

export async function banUser(context: RoomsContext, { roomId, userId, reason, until }: BanUserRequest, call: Call) {
  const caller = callerOf(call);
  if (until && timestampMs(until) <= context.clock.now()) throw invalidFields({ field: "until", description: "must be in the future" });
  const ban = await context.writer.change(roomId, async (tx) => {
    const standing = await tx.standing(caller);
    requireRole(standing, Member_Role.MODERATOR, "ban people");
    requireNotDirect(standing.rules);
    requireOpen(standing.rules);
    if (!(await findUser(tx.store, userId))) throw notExisting();
    const target = await tx.member(userId);
    if (target) await expel(tx, standing, userId, target.role);
    else if (userId === caller.userId) requireAbove(standing, Member_Role.OWNER);
    const row = {
      room_id: roomId,
      user_id: userId,
      banned_by: caller.userId,
      reason,
      created_at: tx.now,
      until: until ? new Date(timestampMs(until)) : null,
    };
    await putBan(tx.store, row);
    tx.append(caller.userId, { case: "memberBanned", value: { $typeName: "parlor.v1.MemberBanned", userId } });
    return banMessage(row);
  });
  return { ban };
}

export async function unbanUser(context: RoomsContext, { roomId, userId }: UnbanUserRequest, call: Call) {
  const caller = callerOf(call);
  await context.writer.change(roomId, async (tx) => {
    const standing = await tx.standing(caller);
    requireRole(standing, Member_Role.MODERATOR, "lift bans");
    requireNotDirect(standing.rules);
    requireOpen(standing.rules);
    if (!(await deleteBan(tx.store, roomId, userId))) throw notExisting();
    tx.append(caller.userId, { case: "memberUnbanned", value: { $typeName: "parlor.v1.MemberUnbanned", userId } });
  });
  return {};
}

export async function listBans(context: RoomsContext, { roomId, pageSize, pageToken }: ListBansRequest, call: Call) {
  const { standing } = await readableRoom(context.feeds, context.store, roomId, call, context.clock.now());
  requireRole(standing, Member_Role.MODERATOR, "see its bans");
  const scope = pageScope("bans", callerOf(call).userId, roomId);
  const [after] = context.pageTokens.open(scope, pageToken) ?? [];
  const limit = pageSizeOf(pageSize);
  const rows = await selectBans(context.store, roomId, new Date(context.clock.now()), after as string | undefined, limit + 1);
  const { items, nextPageToken } = context.pageTokens.cut(scope, rows, limit, (last) => [last.user_id]);
  return { bans: items.map(banMessage), nextPageToken };
}
