// What a person may do in a room. Every rule that depends on a room stands here, and nowhere else.
import { Code, Member_Role, ParlorError, Reason, Room_Visibility, User_Role } from "@parlor/contract";
import type { Caller } from "./call.ts";
import { denied, notExisting, precondition } from "./refusals.ts";
import type { MemberPolicy, RoomRules } from "./room-policy.ts";

/** Someone in front of a room: `member` is null for someone who is not in it. */
export interface Standing {
  readonly caller: Pick<Caller, "role" | "userId">;
  readonly member: MemberPolicy | null;
  readonly rules: RoomRules;
}

/** Reading: members, and for public rooms everyone. */
export function mayRead({ member, rules }: Standing): boolean {
  return member !== null || rules.visibility === Room_Visibility.PUBLIC;
}

/** The role that counts: in public rooms the server's moderators are moderators, and its administrators owners. */
export function effectiveRole({ caller, member, rules }: Standing): Member_Role {
  const own = member?.role ?? Member_Role.ROLE_UNSPECIFIED;
  return rules.visibility === Room_Visibility.PUBLIC ? Math.max(own, servedRole(caller.role)) : own;
}

function servedRole(role: User_Role): Member_Role {
  if (role >= User_Role.ADMIN) return Member_Role.OWNER;
  return role >= User_Role.MODERATOR ? Member_Role.MODERATOR : Member_Role.ROLE_UNSPECIFIED;
}

/** @throws ParlorError NOT_FOUND for what one may not read, PERMISSION_DENIED for too low a role */
export function requireRole(standing: Standing, least: Member_Role, what: string): void {
  if (!mayRead(standing)) throw notExisting();
  if (effectiveRole(standing) < least) throw denied(Reason.ROLE_TOO_LOW, `Only ${roleNames[least]} of the room may ${what}.`);
}

const roleNames: Record<Member_Role, string> = {
  [Member_Role.ROLE_UNSPECIFIED]: "those who can read it",
  [Member_Role.READ_ONLY]: "members",
  [Member_Role.MEMBER]: "members who may write",
  [Member_Role.MODERATOR]: "moderators",
  [Member_Role.OWNER]: "owners",
};

/** @throws ParlorError FAILED_PRECONDITION */
export function requireOpen(rules: RoomRules): void {
  if (rules.archived) throw precondition(Reason.ROOM_ARCHIVED, "The room is archived: it can be read and left, and nothing else.");
}

/** @throws ParlorError FAILED_PRECONDITION */
export function requireNotDirect(rules: RoomRules): void {
  if (rules.visibility === Room_Visibility.DIRECT) throw precondition(Reason.DIRECT_ROOM, "This is not possible in a direct conversation.");
}

/** Writing in any form: a member that is not read-only and not muted, in an open room. */
export function requireWriter(standing: Standing, now: number): void {
  if (!mayRead(standing)) throw notExisting();
  const { member, rules } = standing;
  if (!member) throw denied(Reason.ROLE_TOO_LOW, "Join the room first.");
  requireOpen(rules);
  if (member.role <= Member_Role.READ_ONLY) throw denied(Reason.READ_ONLY, "You may read this room, but not write in it.");
  if (member.mutedUntil > now) {
    const message = "You are muted in this room.";
    throw new ParlorError(Code.PERMISSION_DENIED, Reason.MUTED, message, { retryAfterMs: member.mutedUntil - now });
  }
}

/** Sending a message. */
export function requirePoster(standing: Standing, now: number): void {
  requireWriter(standing, now);
  if (effectiveRole(standing) < standing.rules.postRole) {
    throw denied(Reason.ROLE_TOO_LOW, `Only ${roleNames[standing.rules.postRole]} may send messages in this room.`);
  }
}

/** Slow mode spares moderators. */
export function slowModeMs(standing: Standing): number {
  return effectiveRole(standing) >= Member_Role.MODERATOR ? 0 : standing.rules.slowModeSeconds * 1000;
}

/** Whoever acts on a member must stand above it; owners also act on each other. */
export function requireAbove(standing: Standing, target: Member_Role): void {
  const role = effectiveRole(standing);
  if (role > target || role === Member_Role.OWNER) return;
  throw denied(Reason.ROLE_TOO_LOW, "You may not do this to a member of the same or a higher role.");
}
