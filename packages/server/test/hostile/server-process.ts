// A server in a process of its own, so that its memory is measured and not its attackers'. Lines of its log go to standard
// output; it answers the messages of its parent and ends with it.
import { createLog, loadConfig, startServer } from "../../src/index.ts";
import { freshPglite } from "../support/databases.ts";
import type { Memory } from "./target.ts";

const config = loadConfig(process.env);
const { database } = await freshPglite();
const server = await startServer(config, { database, log: await createLog(config.log) });

process.on("message", async (question: "memory" | "close") => {
  if (question === "memory") return process.send?.(settledMemory());
  await server.close();
  process.exit(0);
});
process.on("disconnect", () => process.exit(1));
process.send?.({ port: server.port });

/** Bytes once garbage is collected: resident, and of the server's own objects and buffers without the database's. */
function settledMemory(): Memory {
  for (let i = 0; i < 3; i++) globalThis.gc?.();
  const { rss, heapUsed, external } = process.memoryUsage();
  return { rss, heap: heapUsed + external };
}
