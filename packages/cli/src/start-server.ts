import { setImmediate } from "node:timers/promises";
import type { Config } from "@parlor/server/config";

/** Runs a server. To load it takes about as long as to open its database, which goes on meanwhile in a thread or server of its own. */
export async function startServer(config: Config): Promise<never> {
  const { beginOpening } = await import("@parlor/server/database");
  const database = beginOpening(config);
  // To load a program lets nothing else happen.
  await setImmediate();
  const { runServer } = await import("./server-process.ts");
  return runServer(config, database);
}
