// Writers and readers on every protocol, and a server that is killed again and again on the same data.
import assert from "node:assert/strict";
import { setTimeout as later } from "node:timers/promises";
import { type Event, EventSchema, type Message, Room_Visibility, RoomsService } from "@parlor/contract";
import { ChildServer, freePort } from "../support/child-server.ts";
import type { Driver, Person } from "../support/drivers/driver.ts";
import { driversOf } from "../support/drivers/index.ts";
import { allEvents, allMessages, plain } from "../support/history.ts";
import { Inbox } from "../support/inbox.ts";
import type { Random } from "../support/random.ts";
import { testEnvironment } from "../support/running.ts";
import { type Reader, readByCalls, readByClient, readByGrpc } from "./readers.ts";
import { byCalls, byStream, Writer } from "./writers.ts";

export interface CrashPlan {
  /** Where the data is: PARLOR_DATA_DIR or DATABASE_URL. */
  readonly data: Readonly<Record<string, string>>;
  readonly kills: number;
  readonly random: Random;
}

interface World {
  readonly url: string;
  readonly drivers: readonly Driver[];
  readonly people: readonly Person[];
  readonly roomId: string;
  /** Where the log was before anyone wrote. */
  readonly start: number;
}

/** Runs the whole; answers how many messages were acknowledged. @throws AssertionError when anything was lost, doubled or torn */
export async function crashes({ data, kills, random }: CrashPlan): Promise<number> {
  const port = await freePort();
  const env = { ...testEnvironment, ...data, PORT: String(port), PARLOR_RING_EVENTS: "64" };
  let server = await ChildServer.start(env);
  const world = await prepare(port, `x${random.seed.toString(36)}`);
  const acks = new Inbox<number>();
  const writers = startWriters(world, random, () => acks.put(1));
  const running = Promise.all(writers.map((writer) => writer.run()));
  const paging = readByCalls(world.people[0] as Person, world.roomId, world.start);
  const readers = [...(await startReaders(world)), paging];
  try {
    for (let kill = 0; kill < kills; kill++) {
      await Promise.race([enough(acks, acks.items.length + 5 + random.below(100)), running]);
      const read = paging.read();
      // Not always right after an answer: somewhere in the next commits.
      await later(random.next() * 15);
      await server.kill();
      await read;
      server = await ChildServer.start(env);
    }
    await enough(acks, acks.items.length + 50);
    for (const writer of writers) writer.stop();
    await running;
    await paging.read();
    await check(world, writers, readers);
    return acks.items.length;
  } finally {
    for (const one of [...readers, ...world.people]) one.close();
    await server.kill();
  }
}

function enough(acks: Inbox<number>, count: number): Promise<void> {
  return acks.until((items) => items.length >= count);
}

async function prepare(port: number, name: string): Promise<World> {
  const url = `http://127.0.0.1:${port}`;
  const drivers = driversOf({ port, url });
  const [grpc, json, proto] = drivers as [Driver, Driver, Driver];
  const people: Person[] = [];
  for (const driver of [json, grpc, grpc, json, json, proto]) people.push(await driver.signUp(`${name}-${people.length}`));
  const [owner, ...others] = people as [Person, ...Person[]];
  const memberIds = others.map(({ user }) => user.id);
  const { room } = await owner.call(RoomsService.method.createRoom, { name: "Crash", visibility: Room_Visibility.PRIVATE, memberIds });
  return { url, drivers, people, roomId: room?.id ?? "", start: room?.lastSeq ?? 0 };
}

function startWriters({ people, roomId }: World, random: Random, onAck: () => void): Writer[] {
  const [, unary, stream, rest, json, proto] = people as [Person, Person, Person, Person, Person, Person];
  const ways = [
    ["gRPC call", byCalls(unary, roomId)],
    ["gRPC stream", byStream(stream, roomId)],
    ["REST", byCalls(rest, roomId)],
    ["WebSocket JSON", byStream(json, roomId)],
    ["WebSocket protobuf", byStream(proto, roomId)],
  ] as const;
  return ways.map(([name, send]) => new Writer(name, send, random.fork(), onAck));
}

async function startReaders({ url, people: [owner, other], roomId, start }: World): Promise<Reader[]> {
  assert.ok(owner && other);
  return [
    await readByClient(url, "json", owner.token, roomId, start),
    await readByClient(url, "proto", owner.token, roomId, start),
    await readByGrpc(other, roomId, start),
  ];
}

async function check({ people, roomId, start }: World, writers: readonly Writer[], readers: readonly Reader[]): Promise<void> {
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
