import { systemClock } from "../ports/clock.ts";
import { noLog } from "../ports/log.ts";
import { storeOver } from "../store/kysely.ts";
import { migrate } from "../store/migrator.ts";
import { openAccounts } from "./accounts.ts";
import type { Admin } from "./admin.ts";
import { adminOf } from "./admin-of.ts";
import { openBus } from "./bus.ts";
import type { Config } from "./config.ts";
import { openDatabase } from "./database.ts";
import { securityLog } from "./security-log.ts";

export interface DirectAdmin {
  readonly admin: Admin;
  close(): Promise<void>;
}

/** The operator's commands on the database itself, for when no server runs on this machine. @throws DatabaseError */
export async function openAdmin(config: Config): Promise<DirectAdmin> {
  const database = await openDatabase(config.database);
  try {
    const store = storeOver(database);
    await migrate(store);
    const bus = await openBus(config, noLog);
    const accounts = await openAccounts(config, store, bus, systemClock, securityLog(noLog));
    const close = async (): Promise<void> => {
      accounts.auth.identities.close();
      await bus.close();
      await database.close();
    };
    return { admin: adminOf(accounts), close };
  } catch (error) {
    await database.close();
    throw error;
  }
}
