import { randomBytes } from "node:crypto";
import type { ClusterBus } from "./cluster.ts";
import { RedisServer } from "./redis.ts";

/** A Redis of its own, by which the nodes of a cluster hear of each other. */
export async function redisBus(): Promise<ClusterBus & { readonly redis: RedisServer }> {
  const redis = await RedisServer.start();
  const env = { REDIS_URL: redis.url, PARLOR_REDIS_PREFIX: `test-${randomBytes(6).toString("hex")}` };
  return {
    name: "Redis",
    redis,
    join: () => ({ env }),
    interrupt: async () => {
      await redis.kill();
      return () => redis.restart();
    },
    close: () => redis[Symbol.asyncDispose](),
  };
}
