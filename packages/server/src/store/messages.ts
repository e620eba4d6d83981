import { type Kysely, type Selectable, sql } from "kysely";
import type { MessagesTable, ReactionsTable, Schema } from "./schema.ts";

/** A message with the hash of its first text, by which a repeat is told from a reuse of its key. */
export type StoredMessageRow = Selectable<MessagesTable>;
export type MessageRow = Omit<StoredMessageRow, "content_hash">;
export type ReactionRow = Selectable<ReactionsTable>;
type Store = Kysely<Schema>;

export function findMessage(store: Store, roomId: string, id: string): Promise<MessageRow | undefined> {
  return store.selectFrom("messages").selectAll().where("room_id", "=", roomId).where("id", "=", id).executeTakeFirst();
}

/** Messages before a `seq`, the nearest first. */
export function messagesBefore(store: Store, roomId: string, seq: number, limit: number): Promise<MessageRow[]> {
  return store
    .selectFrom("messages")
    .selectAll()
    .where("room_id", "=", roomId)
    .where("seq", "<", seq)
    .orderBy("seq", "desc")
    .limit(limit)
    .execute();
}

/** Messages after a `seq`, the nearest first. */
export function messagesAfter(store: Store, roomId: string, seq: number, limit: number): Promise<MessageRow[]> {
  return store
    .selectFrom("messages")
    .selectAll()
    .where("room_id", "=", roomId)
    .where("seq", ">", seq)
    .orderBy("seq")
    .limit(limit)
    .execute();
}

export async function setText(tx: Store, roomId: string, seq: number, text: string, editedAt: Date): Promise<void> {
  await tx.updateTable("messages").set({ text, edited_at: editedAt }).where("room_id", "=", roomId).where("seq", "=", seq).execute();
}

/** Marks a message as deleted and removes its text and reactions. */
export async function emptyMessage(tx: Store, roomId: string, seq: number, deletedAt: Date): Promise<void> {
  await tx.updateTable("messages").set({ text: "", deleted_at: deletedAt }).where("room_id", "=", roomId).where("seq", "=", seq).execute();
  await tx.deleteFrom("message_reactions").where("room_id", "=", roomId).where("message_seq", "=", seq).execute();
}

/** The reactions of messages in a room, the earliest first. */
export async function reactionsOf(store: Store, roomId: string, messageSeqs: readonly number[]): Promise<ReactionRow[]> {
  if (messageSeqs.length === 0) return [];
  const statement = sql<ReactionRow>`select * from message_reactions where room_id = ${roomId} and message_seq = any(${messageSeqs}::bigint[]) order by seq`;
  return (await statement.execute(store)).rows;
}

export async function insertReaction(tx: Store, reaction: ReactionRow): Promise<void> {
  await tx.insertInto("message_reactions").values(reaction).execute();
}

/** Gives a reaction another place in the order. */
export async function moveReaction(tx: Store, { room_id, message_seq, emoji, user_id }: ReactionRow, seq: number): Promise<void> {
  await tx
    .updateTable("message_reactions")
    .set({ seq })
    .where("room_id", "=", room_id)
    .where("message_seq", "=", message_seq)
    .where("emoji", "=", emoji)
    .where("user_id", "=", user_id)
    .execute();
}

export async function deleteReaction(tx: Store, { room_id, message_seq, emoji, user_id }: Omit<ReactionRow, "seq">): Promise<void> {
  await tx
    .deleteFrom("message_reactions")
    .where("room_id", "=", room_id)
    .where("message_seq", "=", message_seq)
    .where("emoji", "=", emoji)
    .where("user_id", "=", user_id)
    .execute();
}
