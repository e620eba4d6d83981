import { openPglite } from "../engines/database-pglite.ts";
import { openPostgres } from "../engines/database-postgres.ts";
import type { Database, Pooled } from "../ports/database.ts";
import type { Config, DatabaseConfig } from "./config.ts";
import { needsStore } from "./services-config.ts";

/** Opens the database of the config. @throws DatabaseError */
export function openDatabase(config: DatabaseConfig): Promise<Database> {
  return config.engine === "pglite" ? openPglite({ dataDir: config.folder }) : openPostgres(config);
}

/**
 * Begins to open the database of a server with this config, so that it opens while the server is loaded. Undefined where the server
 * has none. Whoever waits for it learns why it does not open.
 */
export function beginOpening({ database, services }: Config): Promise<Database> | undefined {
  if (!needsStore(services.hosted)) return undefined;
  const opening = openDatabase(database);
  opening.catch(() => {});
  return opening;
}

/** How many transactions may write to the logs at the same time. */
export function logWritersFor(database: Database & Partial<Pooled>, { logWriters }: DatabaseConfig): number {
  return database.sessions === undefined ? 1 : logWriters;
}
