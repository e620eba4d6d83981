// The bus on a Redis cluster and under sentinels, through failures that take seconds: `npm run test:redis`.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { openRedisBus } from "../../src/engines/bus-redis.ts";
import type { Bus } from "../../src/ports/bus.ts";
import { busSuite } from "../suites/bus.ts";
import { Inbox } from "../support/inbox.ts";
import { redisMissing } from "../support/redis.ts";
import { clusterServes, type RedisGroup, redisCluster, redisUnderSentinels } from "../support/redis-groups.ts";

const skip = redisMissing ?? false;
const topics = Array.from({ length: 30 }, (_, n) => `room:${n}`);
let networks = 0;

/** Subscribes to every topic; the heard ones and the gaps come to one inbox. */
function listen(bus: Bus): Inbox<string> {
  const inbox = new Inbox<string>();
  for (const topic of topics) {
    bus.subscribe(
      topic,
      (payload) => inbox.put(`${topic} ${Buffer.from(payload)}`),
      () => inbox.put(`${topic} gap`),
    );
  }
  return inbox;
}

/** Publishes a word on every topic until each has brought it. */
async function reaches(from: Bus, inbox: Inbox<string>, word: string): Promise<void> {
  while (!topics.every((topic) => inbox.items.includes(`${topic} ${word}`))) {
    for (const topic of topics) from.publish(topic, Buffer.from(word));
    await delay(20);
  }
}

async function gapOnce(inbox: Inbox<string>): Promise<void> {
  await inbox.until((items) => topics.every((topic) => items.includes(`${topic} gap`)));
  assert.equal(inbox.items.filter((item) => item.endsWith("gap")).length, topics.length);
}

describe("A Redis cluster", { skip, timeout: 120_000 }, () => {
  let group: RedisGroup;
  before(async () => {
    group = await redisCluster();
  });
  after(() => group[Symbol.asyncDispose]());

  busSuite("a cluster", async () => {
    const prefix = `network-${++networks}`;
    return {
      join: () => openRedisBus({ url: group.url, prefix }),
      interrupt: async () => {
        await Promise.all(group.servers.map((server) => server.kill()));
        return async () => {
          await Promise.all(group.servers.map((server) => server.restart()));
          await clusterServes(group.servers);
        };
      },
      close: async () => {},
    };
  });

  it("may move slots from one server to another: all topics are heard again", async () => {
    const open = (): Promise<Bus> => openRedisBus({ url: group.url, prefix: "moving" });
    const [a, b] = [await open(), await open()];
    const inbox = listen(b);
    await reaches(a, inbox, "before");
    const [from, to] = group.servers;
    const ids = [from, to].map((server) => server?.cli("CLUSTER", "MYID") ?? "");
    from?.cli(
      "--cluster",
      "reshard",
      `127.0.0.1:${from.port}`,
      "--cluster-from",
      ids[0] ?? "",
      "--cluster-to",
      ids[1] ?? "",
      "--cluster-slots",
      "5461",
      "--cluster-yes",
    );
    await inbox.find((item) => item.endsWith("gap"));
    await reaches(a, inbox, "after");
    await Promise.all([a.close(), b.close()]);
  });
});

describe("Redis under sentinels", { skip, timeout: 120_000 }, () => {
  it("fails over when the master dies", async () => {
    await using group = await redisUnderSentinels();
    const open = (): Promise<Bus> => openRedisBus({ url: group.url, prefix: "test" });
    const [a, b] = [await open(), await open()];
    const inbox = listen(b);
    await reaches(a, inbox, "before");
    await group.servers[0]?.kill();
    await gapOnce(inbox);
    await reaches(a, inbox, "after");
    await Promise.all([a.close(), b.close()]);
  });
});
