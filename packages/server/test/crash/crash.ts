// Writers and readers on every protocol, and a server that is killed again and again on the same data.
import assert from "node:assert/strict";
import { setTimeout as later } from "node:timers/promises";
import { ChildServer, freePort } from "../support/child-server.ts";
import type { Driver, Person } from "../support/drivers/driver.ts";
import { driversOf } from "../support/drivers/index.ts";
import { allMessages } from "../support/history.ts";
import { Inbox } from "../support/inbox.ts";
import type { Random } from "../support/random.ts";
import { testEnvironment } from "../support/running.ts";
import { readByMqtt, writeByMqtt } from "./mqtt.ts";
import { type Reader, readByCalls, readByClient, readByGrpc } from "./readers.ts";
import { check, makeWorld, type World, writersOf } from "./world.ts";

export interface CrashPlan {
  /** Where the data is: PARLOR_DATA_DIR or DATABASE_URL. */
  readonly data: Readonly<Record<string, string>>;
  readonly kills: number;
  readonly random: Random;
}

/** Runs the whole; answers how many messages were acknowledged. @throws AssertionError when anything was lost, doubled or torn */
export async function crashes({ data, kills, random }: CrashPlan): Promise<number> {
  const port = await freePort();
  const env = { ...testEnvironment, ...data, PORT: String(port), PARLOR_RING_EVENTS: "64" };
  let server = await ChildServer.start(env);
  const url = `http://127.0.0.1:${port}`;
  const [grpc, json, proto] = driversOf({ port, url }) as [Driver, Driver, Driver];
  const world = await makeWorld([json, grpc, grpc, json, json, proto, json], `x${random.seed.toString(36)}`);
  const acks = new Inbox<number>();
  const writers = writersOf(world, random, () => acks.put(1));
  // A session of MQTT begins where the room is when it subscribes.
  const session = await readByMqtt([port], world.people[0] as Person, world.roomId);
  const device = await writeByMqtt([port], world.people[6] as Person, world.roomId);
  const running = Promise.all([...writers, device].map((writer) => writer.run()));
  const paging = readByCalls(world.people[0] as Person, world.roomId, world.start);
  const readers = [...(await startReaders(url, world)), session, paging];
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
    for (const writer of [...writers, device]) writer.stop();
    await running;
    await paging.read();
    await check(world, writers, readers);
    device.check(await allMessages(world.people[0] as Person, world.roomId, 200));
    return acks.items.length;
  } finally {
    for (const one of [...readers, device, ...world.people]) one.close();
    await server.kill();
  }
}

function enough(acks: Inbox<number>, count: number): Promise<void> {
  return acks.until((items) => items.length >= count);
}

async function startReaders(url: string, { people: [owner, other], roomId, start }: World): Promise<Reader[]> {
  assert.ok(owner && other);
  return [
    await readByClient(url, "json", owner.token, roomId, start),
    await readByClient(url, "proto", owner.token, roomId, start),
    await readByGrpc(other, roomId, start),
  ];
}
