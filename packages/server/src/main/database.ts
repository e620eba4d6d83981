import { openPglite } from "../engines/database-pglite.ts";
import { openPostgres } from "../engines/database-postgres.ts";
import type { Database, Pooled } from "../ports/database.ts";
import type { DatabaseConfig } from "./config.ts";

/** Opens the database of the config. @throws DatabaseError */
export function openDatabase(config: DatabaseConfig): Promise<Database> {
  return config.engine === "pglite" ? openPglite({ dataDir: config.folder }) : openPostgres(config);
}

/** How many transactions may write to the logs at the same time. */
export function logWritersFor(database: Database & Partial<Pooled>, { logWriters }: DatabaseConfig): number {
  return database.sessions === undefined ? 1 : logWriters;
}
