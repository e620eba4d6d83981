import { MemoryBusHub } from "../engines/bus-memory.ts";
import { openRedisBus } from "../engines/bus-redis.ts";
import type { Bus } from "../ports/bus.ts";
import type { Log } from "../ports/log.ts";
import type { Config } from "./config.ts";

/** The bus that the config asks for: Redis, or one of a single node, which has nobody to talk to. */
export async function openBus({ redis: { url, prefix } }: Config, log: Log): Promise<Bus> {
  return url === undefined ? new MemoryBusHub().join() : openRedisBus({ url, prefix, log });
}
