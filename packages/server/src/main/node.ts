import type { Kysely } from "kysely";
import type { Bus } from "../ports/bus.ts";
import { type Clock, systemClock } from "../ports/clock.ts";
import type { Database, Pooled } from "../ports/database.ts";
import { type Log, noLog } from "../ports/log.ts";
import type { Metrics } from "../ports/metrics.ts";
import { durabilityWarnings } from "../store/durability.ts";
import { storeOver } from "../store/kysely.ts";
import { migrate } from "../store/migrator.ts";
import type { Schema } from "../store/schema.ts";
import { openBus } from "./bus.ts";
import { watchBus } from "./bus-metrics.ts";
import type { Config } from "./config.ts";
import { openDatabase } from "./database.ts";
import { createMetrics, type PrometheusMetrics } from "./metrics.ts";

export interface StartOptions {
  readonly log?: Log;
  readonly clock?: Clock;
  /** An open database instead of the config's; it is closed with the server. */
  readonly database?: Database;
  /** An open bus instead of the config's; it is closed with the server. */
  readonly bus?: Bus;
}

/** What the parts of every process share. */
export interface Base {
  readonly config: Config;
  readonly log: Log;
  readonly clock: Clock;
  readonly metrics: PrometheusMetrics;
  readonly bus: Bus;
  /** Whether there may be other nodes on the bus. */
  readonly clustered: boolean;
}

/** What the parts of a node share: a process that works with the Store. */
export interface Node extends Base {
  readonly database: Database;
  readonly store: Kysely<Schema>;
}

/** Opens what every process stands on. */
export async function openBase(config: Config, { log = noLog, clock = systemClock, ...given }: StartOptions): Promise<Base> {
  const metrics = createMetrics();
  const bus = given.bus ?? (await openBus(config, log));
  watchBus(bus, metrics);
  const clustered = given.bus !== undefined || config.redis.url !== undefined;
  return { config, log, clock, metrics, bus, clustered };
}

/** Opens the database, with a schema that is up to date. @throws DatabaseError, SchemaError */
export async function openNode(base: Base, given: StartOptions): Promise<Node> {
  const database = given.database ?? (await openDatabase(base.config.database));
  try {
    const store = storeOver(database);
    await migrate(store);
    for (const warning of await durabilityWarnings(database)) base.log.warn({}, warning);
    watchSessions(database, base.metrics);
    return { ...base, database, store };
  } catch (error) {
    await database.close();
    throw error;
  }
}

function watchSessions(database: Database & Partial<Pooled>, metrics: Metrics): void {
  const { sessions } = database;
  if (sessions === undefined) return;
  for (const count of ["open", "used", "waiting"] as const)
    metrics.watch(`database_sessions_${count}`, () => (database.sessions ?? sessions)[count]);
}

/** What failed while nobody waited for it is logged. */
export function reportFaults(log: Log): (error: unknown) => void {
  return (error) => log.error({ err: error }, "Something failed that nobody waits for");
}
