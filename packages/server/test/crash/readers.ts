// Readers on every protocol that come back after every crash and go on where they were.
import { ParlorClient } from "@parlor/client";
import { type Event, MessagesService, ParlorError } from "@parlor/contract";
import type { Live, Person } from "../support/drivers/driver.ts";
import { Inbox } from "../support/inbox.ts";
import { mayHaveHappened } from "./writers.ts";

export interface Reader {
  readonly name: string;
  /** Every durable event of the room, as it came. */
  readonly heard: Inbox<Event>;
  close(): void;
}

/** The public client connects again and resumes by itself. */
export async function readByClient(
  url: string | readonly string[],
  format: "json" | "proto",
  token: string,
  roomId: string,
  from: number,
): Promise<Reader> {
  const client = new ParlorClient({ url, format, token, resume: [{ roomId, seq: from }], backoff: { baseMs: 20, capMs: 100 } });
  const heard = new Inbox<Event>();
  client.on("event", (event) => {
    if (event.seq > 0) heard.put(event);
  });
  await client.connect();
  return { name: `WebSocket ${format}`, heard, close: () => client.close() };
}

/** A bare gRPC stream after the other, each with the last `seq` of the one before. */
export async function readByGrpc(person: Person, roomId: string, from: number): Promise<Reader> {
  const heard = new Inbox<Event>();
  let closed = false;
  let live: Live | undefined;
  const follow = async (): Promise<void> => {
    while (!closed) {
      try {
        live = await person.connect([{ roomId, seq: heard.items.at(-1)?.seq ?? from }]);
        await passOn(live, heard);
      } catch (error) {
        if (!(error instanceof ParlorError)) throw error;
      }
    }
  };
  const following = follow();
  following.catch(() => undefined);
  const close = (): void => {
    closed = true;
    live?.close();
  };
  return { name: "gRPC", heard, close };
}

/** Until the stream ends: what it brought is taken at its end, and as it comes. */
async function passOn(live: Live, heard: Inbox<Event>): Promise<void> {
  const take = (event: Event): void => {
    if (event.seq > 0) heard.put(event);
  };
  for (const event of live.inbox.items) take(event);
  live.inbox.onItem(take);
  await live.ended;
}

/** Pages of the log over REST, read whenever it is told to: one reader, so one reading after the other. */
export function readByCalls(person: Person, roomId: string, from: number): Reader & { read(): Promise<void> } {
  const heard = new Inbox<Event>();
  let reading: Promise<void> = Promise.resolve();
  const page = async (): Promise<boolean> => {
    const { events } = await person.call(MessagesService.method.listEvents, { roomId, afterSeq: heard.items.at(-1)?.seq ?? from });
    for (const event of events) heard.put(event);
    return events.length > 0;
  };
  const readAll = async (): Promise<void> => {
    try {
      while (await page());
    } catch (error) {
      if (!mayHaveHappened(error)) throw error;
    }
  };
  const read = (): Promise<void> => {
    reading = reading.then(readAll);
    return reading;
  };
  return { name: "REST", heard, read, close: () => undefined };
}
