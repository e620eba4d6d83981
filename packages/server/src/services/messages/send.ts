import { invalidFields, type MarkReadRequest, type SendMessageRequest } from "@parlor/contract";
import { type Call, callerOf } from "../../domain/call.ts";
import { newId } from "../../domain/ids.ts";
import { notExisting } from "../../domain/refusals.ts";
import { messageMessage } from "../../log/views.ts";
import { moveReadMarker } from "../../store/members.ts";
import { reactionsOf } from "../../store/messages.ts";
import type { MessagesContext } from "./context.ts";
import { requireReached } from "./reached.ts";

export async function sendMessage(
  { writer, store, clock, maxCharacters }: MessagesContext,
  { roomId, text, clientMessageId }: SendMessageRequest,
  call: Call,
) {
  requireShort(text, maxCharacters);
  const { row, duplicate, message } = await writer.send({ id: newId(clock.now()), roomId, caller: callerOf(call), text, clientMessageId });
  if (message) return { message, duplicate };
  // A message that was just made has no reactions yet; a repeat may.
  const reactions = duplicate ? await reactionsOf(store, roomId, [row.seq]) : [];
  return { message: messageMessage(row, reactions), duplicate };
}

/** @throws ParlorError INVALID_ARGUMENT when a text is longer than this server takes, which may be less than the contract allows */
export function requireShort(text: string, maxCharacters: number): void {
  if (text.length > maxCharacters && [...text].length > maxCharacters) {
    throw invalidFields({ field: "text", description: `must be at most ${maxCharacters} characters` });
  }
}

export async function markRead({ feeds, store, readMarked }: MessagesContext, { roomId, seq }: MarkReadRequest, call: Call) {
  const { userId } = callerOf(call);
  const feed = await feeds.get(roomId);
  if (!(await feed.member(userId))) throw notExisting();
  await requireReached(feed, "seq", seq);
  const moved = await moveReadMarker(store, roomId, userId, seq);
  if (!moved) throw notExisting();
  if (moved.moved) readMarked(userId, roomId, moved.readSeq);
  return { readSeq: moved.readSeq };
}
