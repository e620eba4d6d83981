import { setImmediate } from "node:timers/promises";
import type { Config } from "@parlor/server/config";

/** Runs a server. To load it takes about as long as to open its database, which goes on meanwhile in a thread or server of its own. */
export async function launchServer(config: Config): Promise<never> {
  const { beginOpening } = await import("@parlor/server/database");
  const database = beginOpening(config);
  // Loading keeps the event loop: without a turn before it, the database would begin to open only after it.
  await setImmediate();
  const { runServer } = await import("./server-process.ts");
  return runServer(config, database);
}
