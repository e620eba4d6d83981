// A process to be killed: writes rows to a PGlite directory and prints each number once its commit was acknowledged.
import { writeSync } from "node:fs";
import { openPglite } from "../../src/engines/database-pglite.ts";

const database = await openPglite({ dataDir: process.argv[2] ?? "" });
for (let n = 1; ; n += 4) {
  const numbers = [n, n + 1, n + 2, n + 3];
  await database.transaction((tx) => tx.query("insert into acknowledged select unnest($1::integer[])", [numbers]));
  // At once, so that nothing printed waits in this process.
  for (const number of numbers) writeSync(1, `${number}\n`);
}
