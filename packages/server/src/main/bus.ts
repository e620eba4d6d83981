import { MemoryBusHub } from "../engines/bus-memory.ts";
import type { Bus } from "../ports/bus.ts";
import type { Log } from "../ports/log.ts";
import type { Config } from "./config.ts";

/** The bus that the config asks for: Redis, which is loaded only then, or one of a single node, which has nobody to talk to. */
export async function openBus({ redis: { url, prefix } }: Config, log: Log): Promise<Bus> {
  if (url === undefined) return new MemoryBusHub().join();
  const { openRedisBus } = await import("../engines/bus-redis.ts");
  return openRedisBus({ url, prefix, log });
}
