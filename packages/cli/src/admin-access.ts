import type { Admin } from "@parlor/server/admin";
import { loadConfig } from "@parlor/server/config";
import { runningServer } from "./control-client.ts";
import { mustExist } from "./data-folder.ts";

/** Runs the operator's commands: by the server that is running, or else on the database itself. */
export async function withAdmin<T>(work: (admin: Admin) => Promise<T>): Promise<T> {
  const config = loadConfig(process.env);
  const running = await runningServer(config.server.dataDir);
  if (running) return work(running);
  if (config.database.engine === "pglite") mustExist(config.database.folder);
  const { openAdmin } = await import("@parlor/server");
  const direct = await openAdmin(config);
  try {
    return await work(direct.admin);
  } finally {
    await direct.close();
  }
}
