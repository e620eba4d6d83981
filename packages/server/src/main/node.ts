import { randomUUID } from "node:crypto";
import type { Kysely } from "kysely";
import { tracedBus } from "../engines/bus-traced.ts";
import { tracedDatabase } from "../engines/database-traced.ts";
import type { Bus } from "../ports/bus.ts";
import { type Clock, systemClock } from "../ports/clock.ts";
import type { Database, Perishable, Pooled } from "../ports/database.ts";
import { type Log, noLog } from "../ports/log.ts";
import type { Metrics } from "../ports/metrics.ts";
import type { Tracing } from "../ports/tracing.ts";
import { durabilityWarnings } from "../store/durability.ts";
import { storeOver } from "../store/kysely.ts";
import { migrate } from "../store/migrator.ts";
import type { Schema } from "../store/schema.ts";
import { openBus } from "./bus.ts";
import { watchBus } from "./bus-metrics.ts";
import type { Config } from "./config.ts";
import { openDatabase } from "./database.ts";
import { createMetrics, type PrometheusMetrics } from "./metrics.ts";
import { openTracing, tracedLog } from "./traces.ts";

export interface StartOptions {
  readonly log?: Log;
  readonly clock?: Clock;
  /** A database, open or being opened, instead of the config's; it is closed with the server. */
  readonly database?: Database | Promise<Database>;
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
  /** Left out where traces are off. */
  readonly tracing?: Tracing | undefined;
}

/** What the parts of a node share: a process that works with the Store. */
export interface Node extends Base {
  readonly database: Database;
  /** Where the database is one that can stop for good: resolves when it has, with why. */
  readonly lost: Promise<Error> | undefined;
  readonly store: Kysely<Schema>;
}

/** Opens what every process stands on. */
export async function openBase(config: Config, { log: given = noLog, clock = systemClock, ...opened }: StartOptions): Promise<Base> {
  const tracing = await openTracing(config, randomUUID(), given);
  const log = tracing === undefined ? given : tracedLog(given, tracing);
  const metrics = createMetrics();
  const bus = opened.bus ?? (await openBus(config, log));
  watchBus(bus, metrics);
  const clustered = opened.bus !== undefined || config.redis.url !== undefined;
  return { config, log, clock, metrics, bus: tracedBus(bus, tracing), clustered, tracing };
}

/** Opens the database, with a schema that is up to date. @throws DatabaseError, SchemaError */
export async function openNode(base: Base, given: StartOptions): Promise<Node> {
  const database: Database & Partial<Perishable> = await (given.database ?? openDatabase(base.config.database));
  try {
    await migrate(storeOver(database));
    for (const warning of await durabilityWarnings(database)) base.log.warn({}, warning);
    watchSessions(database, base.metrics);
    const traced = base.tracing === undefined ? database : tracedDatabase(database, base.tracing);
    return { ...base, database: traced, lost: database.lost, store: storeOver(traced) };
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
