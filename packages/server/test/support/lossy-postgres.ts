import { openPostgres } from "../../src/engines/database-postgres.ts";
import { CuttingProxy } from "./cutting-proxy.ts";
import { freshPostgres } from "./databases.ts";
import type { LossyDatabase } from "./lossy-database.ts";

/** PostgreSQL loses connections on the way to the server. */
export async function lossyPostgres(): Promise<LossyDatabase> {
  const fresh = await freshPostgres();
  const proxy = await CuttingProxy.start(fresh.url);
  const database = await openPostgres({ url: proxy.url });
  return {
    database,
    cutAt: (statement, cut) => proxy.cutAt(statement, cut),
    cut: () => proxy.cut(),
    [Symbol.asyncDispose]: async () => {
      await database.close();
      await proxy[Symbol.asyncDispose]();
      await fresh.close();
    },
  };
}
