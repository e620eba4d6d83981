import { clone, fromBinary, toBinary } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { type DeleteMessageRequest, type EditMessageRequest, type Event, EventSchema, Member_Role, Reason } from "@parlor/contract";
import { type Call, callerOf } from "../../domain/call.ts";
import { effectiveRole, mayRead, requireOpen, requireWriter } from "../../domain/permissions.ts";
import { denied, notExisting, precondition } from "../../domain/refusals.ts";
import type { RoomTransaction } from "../../log/room-transaction.ts";
import { messageMessage } from "../../log/views.ts";
import { eventsOfMessage, replaceEvent } from "../../store/events.ts";
import { emptyMessage, findMessage, type MessageRow, reactionsOf, setText } from "../../store/messages.ts";
import type { MessagesContext } from "./context.ts";
import { requireShort } from "./send.ts";

export async function editMessage(context: MessagesContext, { roomId, messageId, text }: EditMessageRequest, call: Call) {
  const caller = callerOf(call);
  requireShort(text, context.maxCharacters);
  const message = await context.writer.change(roomId, async (tx) => {
    requireWriter(await tx.standing(caller), tx.now.getTime());
    const row = await presentMessage(tx, messageId);
    if (row.author_id !== caller.userId) throw denied(Reason.NOT_AUTHOR, "Only its author may change a message.");
    const reactions = await reactionsOf(tx.store, roomId, [row.seq]);
    if (row.text === text) return messageMessage(row, reactions);
    await setText(tx.store, roomId, row.seq, text, tx.now);
    tx.append(
      caller.userId,
      { case: "messageEdited", value: { $typeName: "parlor.v1.MessageEdited", messageId, messageSeq: row.seq, text } },
      row.seq,
    );
    return messageMessage({ ...row, text, edited_at: tx.now }, reactions);
  });
  return { message };
}

export async function deleteMessage(context: MessagesContext, { roomId, messageId }: DeleteMessageRequest, call: Call) {
  const caller = callerOf(call);
  await context.writer.change(roomId, async (tx) => {
    const standing = await tx.standing(caller);
    if (!mayRead(standing)) throw notExisting();
    const row = await findMessage(tx.store, roomId, messageId);
    if (!row) throw notExisting();
    if (effectiveRole(standing) < Member_Role.MODERATOR) {
      if (row.author_id !== caller.userId)
        throw denied(Reason.NOT_AUTHOR, "Only its author and the room's moderators may delete a message.");
      if (!standing.member) throw denied(Reason.ROLE_TOO_LOW, "Join the room first.");
    }
    requireOpen(standing.rules);
    if (row.deleted_at) return;
    await emptyMessage(tx.store, roomId, row.seq, tx.now);
    await emptyLog(tx, row);
    tx.append(
      caller.userId,
      { case: "messageDeleted", value: { $typeName: "parlor.v1.MessageDeleted", messageId, messageSeq: row.seq } },
      row.seq,
    );
  });
  return {};
}

/** A message that was not deleted. @throws ParlorError */
export async function presentMessage(tx: RoomTransaction, messageId: string): Promise<MessageRow> {
  const row = await findMessage(tx.store, tx.roomId, messageId);
  if (!row) throw notExisting();
  if (row.deleted_at) throw precondition(Reason.MESSAGE_DELETED, "The message was deleted.");
  return row;
}

/** Takes the text of a message out of the room's log: who reads it later finds the event, and no text in it. */
async function emptyLog(tx: RoomTransaction, row: MessageRow): Promise<void> {
  for (const stored of await eventsOfMessage(tx.store, tx.roomId, row.seq)) {
    const event = fromBinary(EventSchema, stored.event);
    if (empty(event, tx.now)) await replaceEvent(tx.store, tx.roomId, stored.seq, toBinary(EventSchema, event));
  }
  // An edit may share the transaction, and is not stored yet.
  tx.redact(row.seq, (event) => {
    const emptied = clone(EventSchema, event);
    empty(emptied, tx.now);
    return emptied;
  });
}

/** Says whether there was text in it. */
function empty({ kind }: Event, deletedAt: Date): boolean {
  if (kind.case === "messageSent" && kind.value.message) {
    kind.value.message.text = "";
    kind.value.message.deletedAt = timestampFromDate(deletedAt);
    return true;
  }
  if (kind.case !== "messageEdited") return false;
  kind.value.text = "";
  return true;
}
