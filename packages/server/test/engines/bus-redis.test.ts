import { after, before, describe } from "node:test";
import { openRedisBus } from "../../src/engines/bus-redis.ts";
import { busSuite } from "../suites/bus.ts";
import { RedisServer, redisMissing } from "../support/redis.ts";

const skip = redisMissing;
let networks = 0;

describe("a Redis server of its own", { skip: skip ?? false }, () => {
  let redis: RedisServer;
  before(async () => {
    redis = await RedisServer.start();
  });
  after(() => redis[Symbol.asyncDispose]());

  busSuite("one Redis", async () => {
    const prefix = `network-${++networks}`;
    return {
      join: () => openRedisBus({ url: redis.url, prefix }),
      interrupt: async () => {
        await redis.kill();
        return () => redis.restart();
      },
      close: async () => {},
    };
  });
});
