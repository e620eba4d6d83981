// Writes docs/schema.sql from the migrations; with --check, fails when it differs.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { openPglite } from "../packages/server/src/engines/database-pglite.ts";
import { storeOver } from "../packages/server/src/store/kysely.ts";
import { migrate } from "../packages/server/src/store/migrator.ts";
import { dumpSchema } from "../packages/server/src/store/schema-dump.ts";

const path = fileURLToPath(new URL("../docs/schema.sql", import.meta.url));
const head = "-- The schema that the migrations make, on every engine. Written by scripts/schema.ts.\n\n";

async function schema(): Promise<string> {
  const database = await openPglite({ dataDir: undefined });
  await migrate(storeOver(database));
  const dump = await dumpSchema(database);
  await database.close();
  return head + dump;
}

function written(): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

const current = await schema();
if (!process.argv.includes("--check")) {
  mkdirSync(new URL("../docs/", import.meta.url), { recursive: true });
  writeFileSync(path, current);
} else if (written() !== current) {
  console.error("docs/schema.sql is not what the migrations make. Run: node scripts/schema.ts");
  process.exitCode = 1;
}
