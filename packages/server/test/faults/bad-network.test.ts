// Nodes whose hints come late or never: nobody misses anything, and everyone agrees in the end.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Room_Visibility } from "@parlor/contract";
import { badNetwork } from "../support/bad-network.ts";
import { cluster, noCluster } from "../support/cluster.ts";
import type { Live, Person } from "../support/drivers/driver.ts";
import { allEvents, asInLog } from "../support/history.ts";
import { Life } from "../support/life.ts";
import { Random, seedOfRun } from "../support/random.ts";

const networks = [
  { delayMs: 40, lossPercent: 0 },
  { delayMs: 10, lossPercent: 25 },
] as const;

describe("Three nodes over a bad network", { skip: noCluster ?? false }, () => {
  for (const network of networks) {
    const random = new Random(seedOfRun());
    const bus = badNetwork(random.fork(), network);
    test(`${bus.name}, seed ${random.seed}`, { timeout: 60_000 }, async () => {
      await using nodes = await cluster(bus);
      const people: Person[] = [];
      for (let n = 0; n < 6; n++) people.push(await nodes.signUp(n % 3, n % 3));
      const life = new Life(people);
      const rooms = [await life.makeRoom(Room_Visibility.PUBLIC), await life.makeRoom(Room_Visibility.PRIVATE)];
      // The owner is never thrown out: on every node one stream of theirs must hear all.
      const lives = await Promise.all(
        [0, 1, 2].map((node) => nodes.at(life.owner, node, node).connect(rooms.map(({ id }) => ({ roomId: id, seq: 0 })))),
      );
      await life.live(random, 150);
      for (const { id } of rooms) for (const live of lives) await heardAll(life.owner, live, id);
      assert.deepEqual(nodes.faults, []);
    });
  }
});

/** What came over the stream is the log, each event once and in order. */
async function heardAll(owner: Person, live: Live, roomId: string): Promise<void> {
  const log = await allEvents(owner, roomId);
  await live.inbox.find((event) => event.roomId === roomId && event.seq >= log.length);
  const heard = live.inbox.items.filter((event) => event.roomId === roomId && event.seq > 0);
  assert.deepEqual(
    heard.map(({ seq }) => seq),
    log.map((_, i) => i + 1),
  );
  assert.deepEqual(
    heard.map((event, i) => asInLog(event, log[i] as (typeof log)[number])),
    log.map((event) => asInLog(event, event)),
  );
}
