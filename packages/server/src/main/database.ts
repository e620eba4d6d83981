import { openPglite } from "../engines/database-pglite.ts";
import { openPostgres } from "../engines/database-postgres.ts";
import type { Database } from "../ports/database.ts";
import type { DatabaseConfig } from "./config.ts";

/** Opens the database of the config. @throws DatabaseError */
export function openDatabase(config: DatabaseConfig): Promise<Database> {
  return config.engine === "pglite" ? openPglite({ dataDir: config.folder }) : openPostgres({ url: config.url, poolSize: config.poolSize });
}
