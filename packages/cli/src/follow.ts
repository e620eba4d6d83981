// `parlor tail`: a room from some place on, until it is interrupted.

import { once } from "node:events";
import { type Event, EventSchema, encodeJson, type ParlorClient } from "@parlor/client";
import { eventLine } from "./event-lines.ts";
import { exitCodes, UsageError } from "./failure.ts";
import { myRoomId, openClient } from "./lookup.ts";
import { People } from "./people.ts";
import type { TailOptions } from "./tail-options.ts";

/** The `seq` after which to begin. */
async function beginning(client: ParlorClient, roomId: string, options: TailOptions): Promise<number> {
  const { room, member } = await client.rooms.getRoom({ roomId });
  if (!room || !member) throw new UsageError(`You are not in this room. Join it first: parlor rooms join ${roomId}`, exitCodes.failed);
  if (options.fromStart) return 0;
  if (options.after !== undefined) return options.after;
  const count = options.last ?? (options.json ? 0 : 10);
  if (count === 0) return room.lastSeq;
  const { messages } = await client.messages.listMessages({ roomId, pageSize: count });
  const [oldest] = messages;
  return oldest ? oldest.seq - 1 : room.lastSeq;
}

/** Waits while whoever reads our output is slower than the room. */
async function write(text: string): Promise<void> {
  if (!process.stdout.write(text)) await once(process.stdout, "drain");
}

async function printEvents(client: ParlorClient, roomId: string, json: boolean | undefined, signal: AbortSignal): Promise<void> {
  const people = new People(client);
  for await (const event of client.events({ signal })) {
    if (event.roomId !== roomId || (event.seq === 0 && event.kind.case !== "roomExited")) continue;
    const line = json ? encodeJson(EventSchema, event) : await eventLine(event, people);
    if (line !== undefined) await write(`${line}\n`);
    endWithRoom(event);
  }
}

function endWithRoom({ kind }: Event): void {
  if (kind.case !== "roomExited") return;
  throw new UsageError("You are no longer in this room.", exitCodes.failed);
}

/** Says on standard error when nothing can come, and when it can again. */
function tellState(client: ParlorClient): void {
  let broken = false;
  client.on("state", ({ state, error }) => {
    if (state === "waiting" && !broken && error !== undefined) process.stderr.write("The connection is lost; trying again...\n");
    if (state === "live" && broken) process.stderr.write("Connected again.\n");
    broken = state === "waiting" || (broken && state !== "live");
  });
}

/** Follows a room until SIGINT or SIGTERM. */
export async function follow(room: string, options: TailOptions): Promise<void> {
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop.abort());
  using lookup = await openClient();
  const roomId = await myRoomId(lookup, room);
  const seq = await beginning(lookup, roomId, options);
  using client = await openClient({ fillGaps: true, resume: [{ roomId, seq }] });
  tellState(client);
  const printing = printEvents(client, roomId, options.json, stop.signal);
  // When the stream cannot be opened, the loop ends with the same error.
  client.connect().catch(() => {});
  await printing;
}
