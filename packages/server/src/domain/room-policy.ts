import { timestampMs } from "@bufbuild/protobuf/wkt";
import { type Event, Member_Role, type Room, type Room_Visibility } from "@parlor/contract";

/** What a member may do, as far as every send must know it. */
export interface MemberPolicy {
  readonly role: Member_Role;
  /** Milliseconds since 1970; 0 when not muted. */
  readonly mutedUntil: number;
}

export interface RoomRules {
  readonly visibility: Room_Visibility;
  readonly archived: boolean;
  readonly postRole: Member_Role;
  readonly slowModeSeconds: number;
}

export function rulesOfRoom(room: Room): RoomRules {
  const postRole = room.permissions?.post ?? Member_Role.MEMBER;
  return { visibility: room.visibility, archived: room.archivedAt !== undefined, postRole, slowModeSeconds: room.slowModeSeconds };
}

/**
 * Who may do what in a room, kept in memory and true by the log: every event that changes it is applied in order. `seq` is
 * that of the newest such event, so that a writer which holds the room's row can tell whether this copy is current.
 *
 * Members are known as far as they were asked for: undefined means not known, null not a member.
 */
export class RoomPolicy {
  rules: RoomRules;
  seq: number;
  deleted = false;
  readonly #members = new Map<string, MemberPolicy | null>();
  readonly #base: RoomPolicy | undefined;

  constructor(rules: RoomRules, seq: number, base?: RoomPolicy) {
    this.rules = rules;
    this.seq = seq;
    this.#base = base;
  }

  /** A copy for one transaction: it sees what the transaction adds, the original does not. */
  fork(): RoomPolicy {
    const copy = new RoomPolicy(this.rules, this.seq, this);
    copy.deleted = this.deleted;
    return copy;
  }

  member(userId: string): MemberPolicy | null | undefined {
    const own = this.#members.get(userId);
    return own === undefined ? this.#base?.member(userId) : own;
  }

  learn(userId: string, member: MemberPolicy | null): void {
    this.#members.set(userId, member);
  }

  /** Learns what was read while nobody could change the policy, before anything was applied: good for the original, too. */
  learnCurrent(userId: string, member: MemberPolicy | null): void {
    if (this.#base) this.#base.learnCurrent(userId, member);
    else this.learn(userId, member);
  }

  /** Applies a durable event; one that this policy holds already changes nothing. */
  apply(event: Event): void {
    if (event.seq > this.seq && this.#change(event)) this.seq = event.seq;
  }

  /** Says whether the event was of a kind that changes policies. */
  #change({ kind }: Event): boolean {
    switch (kind.case) {
      case "memberJoined":
      case "memberUpdated": {
        const member = kind.value.member;
        if (member) this.learn(member.userId, { role: member.role, mutedUntil: member.mutedUntil ? timestampMs(member.mutedUntil) : 0 });
        return true;
      }
      case "memberLeft":
      case "memberRemoved":
      case "memberBanned":
        this.learn(kind.value.userId, null);
        return true;
      case "roomUpdated": {
        if (kind.value.room) this.rules = rulesOfRoom(kind.value.room);
        return true;
      }
      case "roomArchived":
        this.rules = { ...this.rules, archived: true };
        return true;
      case "roomDeleted":
        this.deleted = true;
        return true;
      case "roomCreated":
        return true;
      default:
        return false;
    }
  }
}
