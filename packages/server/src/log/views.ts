// Rows of the store as messages of the contract.
import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  type Ban,
  BanSchema,
  type Member,
  MemberSchema,
  type Message,
  MessageSchema,
  type MyRoom,
  MyRoomSchema,
  type Reaction,
  ReactionSchema,
  type Room,
  RoomSchema,
} from "@parlor/contract";
import type { MemberPolicy, RoomRules } from "../domain/room-policy.ts";
import type { BanRow, MemberRow, MyRoomRow } from "../store/members.ts";
import type { MessageRow, ReactionRow } from "../store/messages.ts";
import type { RoomRow } from "../store/rooms.ts";

/** How many of those who reacted are named. */
const namedPerReaction = 50;

export function rulesOf(row: RoomRow): RoomRules {
  return {
    visibility: row.visibility,
    archived: row.archived_at !== null,
    postRole: row.post_role,
    slowModeSeconds: row.slow_mode_seconds,
  };
}

/** What a member's row allows; null for somebody who has none. */
export function memberPolicy(row: Pick<MemberRow, "role" | "muted_until"> | undefined): MemberPolicy | null {
  return row ? { role: row.role, mutedUntil: row.muted_until?.getTime() ?? 0 } : null;
}

export function roomMessage(row: RoomRow): Room {
  return create(RoomSchema, {
    id: row.id,
    visibility: row.visibility,
    name: row.name,
    topic: row.topic,
    createdBy: row.created_by,
    createdAt: timestampFromDate(row.created_at),
    ...(row.archived_at && { archivedAt: timestampFromDate(row.archived_at) }),
    lastSeq: row.last_seq,
    memberCount: row.member_count,
    permissions: { post: row.post_role },
    slowModeSeconds: row.slow_mode_seconds,
    retentionSeconds: row.retention_seconds ?? 0,
    firstSeq: row.first_seq,
  });
}

export function memberMessage(row: Pick<MemberRow, "room_id" | "user_id" | "role" | "muted_until" | "joined_at">): Member {
  return create(MemberSchema, {
    roomId: row.room_id,
    userId: row.user_id,
    role: row.role,
    ...(row.muted_until && { mutedUntil: timestampFromDate(row.muted_until) }),
    joinedAt: timestampFromDate(row.joined_at),
  });
}

export function myRoomMessage(row: MyRoomRow, userId: string, peerIds: readonly string[]): MyRoom {
  const { role, muted_until, joined_at } = row;
  return create(MyRoomSchema, {
    room: roomMessage(row),
    member: memberMessage({ room_id: row.id, user_id: userId, role, muted_until, joined_at }),
    readSeq: row.read_seq,
    peerIds: [...peerIds],
  });
}

export function banMessage(row: BanRow): Ban {
  return create(BanSchema, {
    roomId: row.room_id,
    userId: row.user_id,
    bannedBy: row.banned_by,
    reason: row.reason,
    createdAt: timestampFromDate(row.created_at),
    ...(row.until && { until: timestampFromDate(row.until) }),
  });
}

/** `reactions`: those of this message, the earliest first. */
export function messageMessage(row: MessageRow, reactions: readonly ReactionRow[] = []): Message {
  return create(MessageSchema, {
    id: row.id,
    roomId: row.room_id,
    seq: row.seq,
    authorId: row.author_id,
    text: row.text,
    clientMessageId: row.client_message_id ?? "",
    createdAt: timestampFromDate(row.created_at),
    ...(row.edited_at && { editedAt: timestampFromDate(row.edited_at) }),
    ...(row.deleted_at && { deletedAt: timestampFromDate(row.deleted_at) }),
    reactions: summarize(reactions),
  });
}

function summarize(rows: readonly ReactionRow[]): Reaction[] {
  if (rows.length === 0) return [];
  const byEmoji = new Map<string, Reaction>();
  for (const { emoji, user_id } of rows) {
    const reaction = byEmoji.get(emoji) ?? create(ReactionSchema, { emoji });
    byEmoji.set(emoji, reaction);
    reaction.count++;
    if (reaction.userIds.length < namedPerReaction) reaction.userIds.push(user_id);
  }
  return [...byEmoji.values()];
}
