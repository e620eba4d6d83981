// Hints are lost, doubled, reordered and torn: everybody hears everything once and in order all the same.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { MessagesService, RoomsService } from "@parlor/contract";
import { MemoryBusHub } from "../../src/engines/bus-memory.ts";
import { openRedisBus } from "../../src/engines/bus-redis.ts";
import type { Bus } from "../../src/ports/bus.ts";
import { type ClusterBus, cluster, noCluster, redisBus } from "../support/cluster.ts";
import type { Live } from "../support/drivers/driver.ts";
import { type BusFaults, FaultyBus } from "../support/faulty-bus.ts";
import { LateBus } from "../support/late-bus.ts";
import { Random, seedOfRun } from "../support/random.ts";
import { RedisServer, redisMissing } from "../support/redis.ts";

const seed = seedOfRun();
const sends = 40;

/** Nodes whose buses are each made of one that `open` gives. */
function busOf(open: () => Promise<Bus>, close: () => Promise<void> = async () => undefined): ClusterBus {
  return {
    name: "made for a test",
    join: async () => ({ bus: await open() }),
    interrupt: async () => async () => undefined,
    close,
  };
}

function faultyBus(random: Random, faults: BusFaults): ClusterBus {
  const hub = new MemoryBusHub();
  return busOf(async () => new FaultyBus(hub.join(), random.fork(), faults));
}

async function faultyRedis(random: Random, faults: BusFaults): Promise<ClusterBus> {
  const redis = await RedisServer.start();
  return busOf(
    async () => new FaultyBus(await openRedisBus({ url: redis.url, prefix: "faulty" }), random.fork(), faults),
    () => redis[Symbol.asyncDispose](),
  );
}

const rough: BusFaults = { lost: 0.2, doubled: 0.3, late: 0.2, torn: 0.05 };
const dead: BusFaults = { lost: 1, doubled: 0, late: 0, torn: 0 };

/** Two people on two nodes write to one room while both listen, each on both nodes: they hear all of it, whatever happens meanwhile. */
async function chatter(bus: ClusterBus, meanwhile: () => Promise<void> = async () => undefined): Promise<void> {
  await using current = await cluster(bus, { size: 2 });
  const [ada, bob] = [await current.signUp(0), await current.signUp(1)];
  const { room } = await ada.call(RoomsService.method.createRoom, { name: "Rough weather", memberIds: [bob.user.id] });
  const roomId = room?.id ?? "";
  const places = [ada, bob].flatMap((person) => [0, 1].map((node) => current.at(person, node, node + 1)));
  const lives = await Promise.all(places.map((person) => person.connect()));
  let last = 0;
  const talk = async (person: typeof ada): Promise<void> => {
    for (let n = 0; n < sends; n++) {
      const { message } = await person.call(MessagesService.method.sendMessage, { roomId, text: `${person.user.username} ${n}` });
      last = Math.max(last, message?.seq ?? 0);
    }
  };
  await Promise.all([talk(ada), talk(bob), meanwhile()]);
  await heardAll(lives, roomId, last);
}

async function heardAll(lives: readonly Live[], roomId: string, last: number): Promise<void> {
  for (const { inbox } of lives) {
    await inbox.find((event) => event.roomId === roomId && event.seq === last);
    const seqs = inbox.items.filter((event) => event.roomId === roomId && event.seq > 0).map((event) => event.seq);
    const first = seqs[0] as number;
    assert.deepEqual(
      seqs,
      Array.from({ length: last - first + 1 }, (_, i) => first + i),
    );
  }
}

describe("Hints between two nodes", { skip: noCluster ?? false, timeout: 120_000 }, () => {
  test(`that the bus loses, doubles, reorders and tears (seed ${seed})`, () => chatter(faultyBus(new Random(seed), rough)));

  test(`that Redis brings, lost, doubled, out of order and torn (seed ${seed})`, { skip: redisMissing ?? false }, async () =>
    chatter(await faultyRedis(new Random(seed), rough)),
  );

  test("before a subscription took effect: they are made up for when it has", async () => {
    const hub = new MemoryBusHub();
    const late: LateBus[] = [];
    const open = async (): Promise<Bus> => late[late.push(new LateBus(hub.join())) - 1] as Bus;
    await using current = await cluster(busOf(open), { size: 2 });
    const [ada, bob] = [await current.signUp(0), await current.signUp(1)];
    const { room } = await ada.call(RoomsService.method.createRoom, { name: "Early", memberIds: [bob.user.id] });
    const release = (late[1] as LateBus).hold();
    const { inbox } = await bob.connect();
    const { message } = await ada.call(MessagesService.method.sendMessage, { roomId: room?.id ?? "", text: "too early" });
    const start = performance.now();
    release();
    await inbox.find(({ seq }) => seq === message?.seq);
    assert.ok(performance.now() - start < 1000, "before the next look at all heads");
  });

  test("of which none arrives", () => chatter(faultyBus(new Random(seed), dead)));

  test("by a Redis that dies and comes back meanwhile", { skip: redisMissing ?? false }, async () => {
    const bus = await redisBus();
    await chatter(bus, async () => {
      for (let round = 0; round < 3; round++) await (await bus.interrupt())();
    });
  });
});
