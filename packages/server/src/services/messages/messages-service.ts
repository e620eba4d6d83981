import type { MessagesService, ServiceImpl } from "@parlor/contract";
import type { Call } from "../../domain/call.ts";
import { deleteMessage, editMessage } from "./change.ts";
import type { MessagesContext } from "./context.ts";
import { getMessage, listEvents, listMessages } from "./history.ts";
import { addReaction, removeReaction } from "./reactions.ts";
import { markRead, sendMessage } from "./send.ts";

export function createMessagesService(context: MessagesContext): ServiceImpl<typeof MessagesService, Call> {
  return {
    sendMessage: (request, call) => sendMessage(context, request, call),
    listMessages: (request, call) => listMessages(context, request, call),
    getMessage: (request, call) => getMessage(context, request, call),
    editMessage: (request, call) => editMessage(context, request, call),
    deleteMessage: (request, call) => deleteMessage(context, request, call),
    addReaction: (request, call) => addReaction(context, request, call),
    removeReaction: (request, call) => removeReaction(context, request, call),
    markRead: (request, call) => markRead(context, request, call),
    listEvents: (request, call) => listEvents(context, request, call),
  };
}
