// What a server answers about a room when it is asked for everything.
import { type DescMessage, type MessageShape, toJson } from "@bufbuild/protobuf";
import { type Event, EventSchema, type Member, type Message, MessagesService, RoomsService } from "@parlor/contract";
import type { Person } from "./drivers/driver.ts";

export async function allEvents(person: Person, roomId: string, pageSize = 0): Promise<Event[]> {
  return pages(async (pageToken) => {
    const { events, nextPageToken } = await person.call(MessagesService.method.listEvents, { roomId, pageSize, pageToken });
    return { items: events, nextPageToken };
  });
}

/** In rising `seq`, read from the oldest on. */
export async function allMessages(person: Person, roomId: string, pageSize = 0): Promise<Message[]> {
  return pages(async (pageToken) => {
    const start = pageToken === "" ? { afterSeq: 0 } : { pageToken };
    const { messages, nextPageToken } = await person.call(MessagesService.method.listMessages, { roomId, pageSize, ...start });
    return { items: messages, nextPageToken };
  });
}

export async function allMembers(person: Person, roomId: string): Promise<Member[]> {
  return pages(async (pageToken) => {
    const { members, nextPageToken } = await person.call(RoomsService.method.listMembers, { roomId, pageToken });
    return { items: members, nextPageToken };
  });
}

async function pages<T>(
  read: (pageToken: string) => Promise<{ readonly items: readonly T[]; readonly nextPageToken: string }>,
): Promise<T[]> {
  const all: T[] = [];
  let token = "";
  do {
    const { items, nextPageToken } = await read(token);
    all.push(...items);
    token = nextPageToken;
  } while (token !== "");
  return all;
}

/** Messages of the contract as plain data, to be compared. */
export function plain<S extends DescMessage>(schema: S, messages: readonly MessageShape<S>[]): unknown[] {
  return messages.map((message) => toJson(schema, message));
}

/**
 * An event as it was heard, with the text that the log has now: a message that was deleted since is empty there. So what remains
 * equal is all that a deletion does not take out.
 */
export function asInLog(heard: Event, logged: Event): unknown {
  const event = structuredClone(heard);
  if (event.kind.case === "messageSent" && logged.kind.case === "messageSent") {
    const [message, now] = [event.kind.value.message, logged.kind.value.message];
    if (message && now?.deletedAt) Object.assign(message, { text: "", deletedAt: now.deletedAt });
  }
  if (event.kind.case === "messageEdited" && logged.kind.case === "messageEdited" && logged.kind.value.text === "")
    event.kind.value.text = "";
  return toJson(EventSchema, event);
}
