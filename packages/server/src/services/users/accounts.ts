// Roles, and the closing and opening of accounts: by administrators, and by the operator without an account (a call without caller).
import { Goodbye_Reason, Reason, User_Role } from "@parlor/contract";
import type { Kysely } from "kysely";
import type { Call } from "../../domain/call.ts";
import { notExisting, precondition } from "../../domain/refusals.ts";
import { originOf, type SecurityEvent } from "../../domain/security-log.ts";
import type { Schema } from "../../store/schema.ts";
import { revokeSessionsOf } from "../../store/sessions.ts";
import { lockAdmins, lockUser, type UserRow, updateUser } from "../../store/users.ts";
import type { UsersContext } from "./users-context.ts";

/** @throws ParlorError NOT_FOUND, FAILED_PRECONDITION/LAST_ADMIN */
export async function setRole(context: UsersContext, userId: string, role: User_Role, call: Call): Promise<UserRow> {
  const { changed, user } = await context.store.transaction().execute(async (tx) => {
    const before = await lockedAccount(tx, userId, role < User_Role.ADMIN);
    return before.role === role ? { changed: false, user: before } : { changed: true, user: await updated(tx, userId, { role }) };
  });
  if (changed) {
    context.identities.changed(userId);
    record(context, "role_changed", userId, call, User_Role[role]);
  }
  return user;
}

/** @throws ParlorError NOT_FOUND, FAILED_PRECONDITION/LAST_ADMIN */
export async function deactivate(context: UsersContext, userId: string, call: Call): Promise<UserRow> {
  const now = new Date(context.clock.now());
  const { changed, user } = await context.store.transaction().execute(async (tx) => {
    const before = await lockedAccount(tx, userId, true);
    if (before.deactivated_at !== null) return { changed: false, user: before };
    await revokeSessionsOf(tx, userId, now);
    return { changed: true, user: await updated(tx, userId, { deactivated_at: now }) };
  });
  if (changed) {
    context.identities.ended({ userId, reason: Goodbye_Reason.DEACTIVATED });
    record(context, "deactivated", userId, call);
  }
  return user;
}

/** Sessions and API tokens of before stay ended. @throws ParlorError NOT_FOUND */
export async function reactivate(context: UsersContext, userId: string, call: Call): Promise<UserRow> {
  const { changed, user } = await context.store.transaction().execute(async (tx) => {
    const before = await lockedAccount(tx, userId, false);
    return before.deactivated_at === null
      ? { changed: false, user: before }
      : { changed: true, user: await updated(tx, userId, { deactivated_at: null }) };
  });
  if (changed) {
    context.identities.changed(userId);
    record(context, "reactivated", userId, call);
  }
  return user;
}

/**
 * The account, locked for a change. One that might take an administrator away first locks all of them, in one order: of two
 * such changes, the second sees what the first has left.
 */
async function lockedAccount(tx: Kysely<Schema>, userId: string, mayTakeAdmin: boolean): Promise<UserRow> {
  const admins = mayTakeAdmin ? await lockAdmins(tx) : [];
  if (admins.length === 1 && admins[0] === userId) throw precondition(Reason.LAST_ADMIN, "A server must keep one administrator.");
  const user = await lockUser(tx, userId);
  if (!user) throw notExisting();
  return user;
}

async function updated(tx: Kysely<Schema>, userId: string, change: Parameters<typeof updateUser>[2]): Promise<UserRow> {
  return (await updateUser(tx, userId, change)) as UserRow;
}

function record({ securityLog }: UsersContext, event: SecurityEvent, subjectId: string, call: Call, detail?: string): void {
  const by = call.caller ? { userId: call.caller.userId } : {};
  securityLog.record({ event, ...by, subjectId, ...(detail === undefined ? {} : { detail }), ...originOf(call) });
}
