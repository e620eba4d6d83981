// Five writers in one room, each on another protocol, and what must be true of the room in the end.
import assert from "node:assert/strict";
import { type Event, EventSchema, type Message, Room_Visibility, RoomsService } from "@parlor/contract";
import type { Driver, Person } from "../support/drivers/driver.ts";
import { allEvents, allMessages, plain } from "../support/history.ts";
import type { Random } from "../support/random.ts";
import type { Reader } from "./readers.ts";
import { byCalls, byStream, paced, Writer } from "./writers.ts";

/** A room with its owner, another reader over gRPC, and the writers in it. */
export interface World {
  /** The owner and the five who write. */
  readonly people: readonly Person[];
  readonly roomId: string;
  /** Where the log was before anyone wrote. */
  readonly start: number;
}

/** @param drivers of the owner, of gRPC calls, of a gRPC stream, of REST, of WebSocket JSON and of WebSocket protobuf */
export async function makeWorld(drivers: readonly Driver[], name: string): Promise<World> {
  const people: Person[] = [];
  for (const driver of drivers) people.push(await driver.signUp(`${name}-${people.length}`));
  const [owner, ...others] = people as [Person, ...Person[]];
  const memberIds = others.map(({ user }) => user.id);
  const { room } = await owner.call(RoomsService.method.createRoom, { name: "World", visibility: Room_Visibility.PRIVATE, memberIds });
  return { people, roomId: room?.id ?? "", start: room?.lastSeq ?? 0 };
}

/** @param everyMs how long each of them waits before it sends the next message */
export function writersOf({ people, roomId }: World, random: Random, onAck: (message: Message) => void, everyMs = 0): Writer[] {
  const [, unary, stream, rest, json, proto] = people as [Person, Person, Person, Person, Person, Person];
  const ways = [
    ["gRPC call", byCalls(unary, roomId)],
    ["gRPC stream", byStream(stream, roomId)],
    ["REST", byCalls(rest, roomId)],
    ["WebSocket JSON", byStream(json, roomId)],
    ["WebSocket protobuf", byStream(proto, roomId)],
  ] as const;
  return ways.map(([name, send]) => new Writer(name, everyMs > 0 ? paced(send, everyMs) : send, random.fork(), onAck));
}

/** @throws AssertionError when anything was lost, doubled or torn */
export async function check({ people, roomId, start }: World, writers: readonly Writer[], readers: readonly Reader[]): Promise<void> {
  const owner = people[0] as Person;
  const log = await allEvents(owner, roomId);
  assert.deepEqual(
    log.map(({ seq }) => seq),
    log.map((_, i) => i + 1),
    "seq has a hole",
  );
  const history = await allMessages(owner, roomId, 200);
  assert.deepEqual(
    history.map(({ seq }) => seq),
    log.filter(({ kind }) => kind.case === "messageSent").map(({ seq }) => seq),
    "history and log differ",
  );
  checkMessages(writers, history);
  const expected = plain(EventSchema, log.slice(start));
  for (const { name, heard } of readers) {
    await heard.until((events) => (events.at(-1)?.seq ?? 0) >= log.length);
    assert.deepEqual(plain(EventSchema, heard.items as Event[]), expected, `what was heard over ${name} is not history`);
  }
}

function checkMessages(writers: readonly Writer[], history: readonly Message[]): void {
  const keys = history.map(({ authorId, clientMessageId }) => `${authorId} ${clientMessageId}`);
  assert.equal(new Set(keys).size, keys.length, "a key was stored twice");
  const byId = new Map(history.map((message) => [message.id, message]));
  for (const { acknowledged, name } of writers) {
    assert.ok(acknowledged.length > 0, `nothing was acknowledged over ${name}`);
    for (const { message, text } of acknowledged) {
      const stored = byId.get(message.id);
      assert.deepEqual([stored?.seq, stored?.text], [message.seq, text], `an acknowledged message over ${name} is not in history`);
    }
  }
}
