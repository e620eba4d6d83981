import { type AddReactionRequest, Reason, type RemoveReactionRequest } from "@parlor/contract";
import type { Kysely } from "kysely";
import { type Call, callerOf } from "../../domain/call.ts";
import { requireWriter } from "../../domain/permissions.ts";
import { precondition } from "../../domain/refusals.ts";
import { messageMessage } from "../../log/views.ts";
import { deleteReaction, insertReaction, moveReaction, type ReactionRow, reactionsOf } from "../../store/messages.ts";
import type { Schema } from "../../store/schema.ts";
import { presentMessage } from "./change.ts";
import type { MessagesContext } from "./context.ts";

/** Different emoji under one message. */
const maxDifferent = 20;

export async function addReaction({ writer }: MessagesContext, { roomId, messageId, emoji }: AddReactionRequest, call: Call) {
  const caller = callerOf(call);
  const message = await writer.change(roomId, async (tx) => {
    requireWriter(await tx.standing(caller), tx.now.getTime());
    const row = await presentMessage(tx, messageId);
    const reactions = await reactionsOf(tx.store, roomId, [row.seq]);
    if (reactions.some(isBy(caller.userId, emoji))) return messageMessage(row, reactions);
    const different = new Set(reactions.map((reaction) => reaction.emoji));
    if (!different.has(emoji) && different.size >= maxDifferent) {
      throw precondition(Reason.TOO_MANY_REACTIONS, `A message has at most ${maxDifferent} different reactions.`);
    }
    const value = { $typeName: "parlor.v1.ReactionAdded", messageId, messageSeq: row.seq, emoji } as const;
    const seq = tx.append(caller.userId, { case: "reactionAdded", value }, row.seq);
    const added = { room_id: roomId, message_seq: row.seq, emoji, user_id: caller.userId, seq };
    await insertReaction(tx.store, added);
    return messageMessage(row, [...reactions, added]);
  });
  return { message };
}

export async function removeReaction({ writer }: MessagesContext, { roomId, messageId, emoji }: RemoveReactionRequest, call: Call) {
  const caller = callerOf(call);
  const message = await writer.change(roomId, async (tx) => {
    requireWriter(await tx.standing(caller), tx.now.getTime());
    const row = await presentMessage(tx, messageId);
    const reactions = await reactionsOf(tx.store, roomId, [row.seq]);
    const mine = reactions.find(isBy(caller.userId, emoji));
    if (!mine) return messageMessage(row, reactions);
    await deleteReaction(tx.store, mine);
    const rest = await inheritPlace(tx.store, mine, reactions);
    const value = { $typeName: "parlor.v1.ReactionRemoved", messageId, messageSeq: row.seq, emoji } as const;
    tx.append(caller.userId, { case: "reactionRemoved", value }, row.seq);
    return messageMessage(row, rest);
  });
  return { message };
}

/** An emoji keeps its place among the others as long as anyone uses it. Answers the reactions that are left. */
async function inheritPlace(store: Kysely<Schema>, gone: ReactionRow, reactions: readonly ReactionRow[]): Promise<ReactionRow[]> {
  const rest = reactions.filter((reaction) => reaction !== gone);
  const heir = rest.find(({ emoji }) => emoji === gone.emoji);
  if (!heir || heir.seq < gone.seq) return rest;
  await moveReaction(store, heir, gone.seq);
  return rest.map((reaction) => (reaction === heir ? { ...heir, seq: gone.seq } : reaction)).sort((a, b) => a.seq - b.seq);
}

function isBy(userId: string, emoji: string): (reaction: ReactionRow) => boolean {
  return (reaction) => reaction.user_id === userId && reaction.emoji === emoji;
}
