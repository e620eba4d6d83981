import type { Event, Member } from "@parlor/contract";

/** The members of a room after an event; the same array when it does not touch them. */
export function applyToMembers(members: readonly Member[], { kind }: Event): readonly Member[] {
  switch (kind.case) {
    case "memberJoined":
    case "memberUpdated":
      return kind.value.member === undefined ? members : withMember(members, kind.value.member);
    case "memberLeft":
    case "memberRemoved":
    case "memberBanned":
      return withoutMember(members, kind.value.userId);
    default:
      return members;
  }
}

function withMember(members: readonly Member[], member: Member): readonly Member[] {
  const index = members.findIndex(({ userId }) => userId >= member.userId);
  if (index < 0) return [...members, member];
  const known = members[index]?.userId === member.userId;
  return members.toSpliced(index, known ? 1 : 0, member);
}

function withoutMember(members: readonly Member[], userId: string): readonly Member[] {
  const index = members.findIndex((member) => member.userId === userId);
  return index < 0 ? members : members.toSpliced(index, 1);
}
