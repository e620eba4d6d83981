import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { UsageError } from "./failure.ts";

/** A mistyped folder must not become a new and empty server. @throws UsageError */
export function mustExist(folder: string): void {
  if (existsSync(folder)) return;
  throw new UsageError(
    `There is no data folder at ${resolve(folder)}. Run this command where the server runs, or set PARLOR_DATA_DIR or DATABASE_URL as for it. ` +
      "A new database is made by `parlor serve` or `parlor migrate up`.",
  );
}
