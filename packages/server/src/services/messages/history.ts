import {
  type GetMessageRequest,
  invalidFields,
  type ListEventsRequest,
  type ListMessagesRequest,
  type ParlorError,
} from "@parlor/contract";
import { type Call, callerOf } from "../../domain/call.ts";
import { pageScope, pageSizeOf } from "../../domain/page-tokens.ts";
import { notExisting } from "../../domain/refusals.ts";
import { messageMessage } from "../../log/views.ts";
import { findMessage, type MessageRow, messagesAfter, messagesBefore, type ReactionRow, reactionsOf } from "../../store/messages.ts";
import { readableRoom } from "../rooms/room-access.ts";
import type { MessagesContext } from "./context.ts";
import { requireReached } from "./reached.ts";

/** Beyond every `seq`. */
const end = 2 ** 32;
const eventsPerPage = 500;

type Direction = "before" | "after";

export async function listMessages(context: MessagesContext, request: ListMessagesRequest, call: Call) {
  const { roomId } = request;
  const places = [request.beforeSeq, request.afterSeq, request.aroundSeq, request.pageToken || undefined].filter(
    (place) => place !== undefined,
  );
  if (places.length > 1) throw oneOf("before_seq", "after_seq, around_seq and page_token");
  const { feed } = await readableRoom(context.feeds, context.store, roomId, call, context.clock.now());
  await requireReached(feed, "after_seq", request.afterSeq);
  await requireReached(feed, "around_seq", request.aroundSeq);
  const limit = pageSizeOf(request.pageSize);
  if (request.aroundSeq !== undefined) return { messages: await around(context, roomId, request.aroundSeq, limit), nextPageToken: "" };
  const scope = pageScope("messages", callerOf(call).userId, roomId);
  const [direction, seq] = (context.pageTokens.open(scope, request.pageToken) ?? startOf(request)) as [Direction, number];
  const rows = await (direction === "before" ? messagesBefore : messagesAfter)(context.store, roomId, seq, limit + 1);
  const { items, nextPageToken } = context.pageTokens.cut(scope, rows, limit, (last) => [direction, last.seq]);
  return { messages: await withReactions(context, roomId, direction === "before" ? items.toReversed() : items), nextPageToken };
}

function startOf({ beforeSeq, afterSeq }: ListMessagesRequest): [Direction, number] {
  return afterSeq === undefined ? ["before", beforeSeq ?? end] : ["after", afterSeq];
}

/** Half a page up to the `seq`, half a page after it. */
async function around(context: MessagesContext, roomId: string, seq: number, limit: number) {
  const before = Math.ceil(limit / 2);
  const earlier = await messagesBefore(context.store, roomId, seq + 1, before);
  const later = limit > before ? await messagesAfter(context.store, roomId, seq, limit - before) : [];
  return withReactions(context, roomId, [...earlier.reverse(), ...later]);
}

async function withReactions({ store }: MessagesContext, roomId: string, rows: readonly MessageRow[]) {
  const byMessage = new Map<number, ReactionRow[]>();
  for (const reaction of await reactionsOf(
    store,
    roomId,
    rows.map((row) => row.seq),
  )) {
    const known = byMessage.get(reaction.message_seq);
    if (known) known.push(reaction);
    else byMessage.set(reaction.message_seq, [reaction]);
  }
  return rows.map((row) => messageMessage(row, byMessage.get(row.seq)));
}

export async function getMessage(context: MessagesContext, { roomId, messageId }: GetMessageRequest, call: Call) {
  await readableRoom(context.feeds, context.store, roomId, call, context.clock.now());
  const row = await findMessage(context.store, roomId, messageId);
  if (!row) throw notExisting();
  return { message: messageMessage(row, await reactionsOf(context.store, roomId, [row.seq])) };
}

export async function listEvents(context: MessagesContext, { roomId, afterSeq, pageSize, pageToken }: ListEventsRequest, call: Call) {
  if (afterSeq !== 0 && pageToken !== "") throw oneOf("after_seq", "page_token");
  const { feed } = await readableRoom(context.feeds, context.store, roomId, call, context.clock.now());
  await requireReached(feed, "after_seq", afterSeq);
  const scope = pageScope("events", callerOf(call).userId, roomId);
  const [from = afterSeq] = context.pageTokens.open(scope, pageToken) ?? [];
  const limit = pageSize === 0 ? eventsPerPage : pageSize;
  // One more than asked for tells whether there is another page: this node's head may be behind.
  const events = await feed.page(Number(from), limit + 1);
  const { items, nextPageToken } = context.pageTokens.cut(scope, events, limit, (last) => [last.seq]);
  const first = items[0]?.seq ?? 0;
  return { events: items.map(({ event }) => event), nextPageToken, missingTo: first > Number(from) + 1 ? first - 1 : 0 };
}

function oneOf(field: string, others: string): ParlorError {
  return invalidFields({ field, description: `must not be given together with ${others}` });
}
