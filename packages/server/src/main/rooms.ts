import { Feeds } from "../log/feeds.ts";
import { UserHints } from "../log/user-hints.ts";
import { LogWriter } from "../log/writer.ts";
import { Purge } from "../services/rooms/purge.ts";
import { Retention } from "../services/rooms/retention.ts";
import { logWritersFor } from "./database.ts";
import { type Node, reportFaults } from "./node.ts";

/** Bytes of encoded events kept in memory for each active room, at most. */
const ringBytes = 512 * 1024;
/** Rooms kept in memory beyond those that somebody on this node follows. */
const idleRooms = 10_000;
/** How long after its last use such a room is given up where nodes share a database (milliseconds): its hints cost every node. */
const idleMs = 30_000;
/**
 * How often the Store is asked for what hints have not brought (milliseconds). A message is on every node within 2 s while the
 * bus is down, and with a turn of the hub's watch (1 s) whoever was added or removed is well within 5 s.
 */
const checkMs = 1500;
/** Sends and changes that may wait. */
const maxWaiting = 20_000;

/** The rooms' logs. */
export interface Rooms {
  readonly feeds: Feeds;
  readonly writer: LogWriter;
  readonly userHints: UserHints;
  /** How often the Store is asked for what hints have not brought; undefined where nobody else can write. */
  readonly checkMs: number | undefined;
  readonly purge: Purge;
  readonly retention: Retention;
}

export function openRooms({ config, log, clock, metrics, database, store, bus, tracing }: Node): Rooms {
  const reportFault = reportFaults(log);
  const { ringEvents, catchUpPageEvents } = config.realtime;
  const limits = { ringEvents, ringBytes, pageSize: catchUpPageEvents };
  const userHints = new UserHints(bus);
  const shared = config.database.engine === "postgres" ? checkMs : undefined;
  const feeds = new Feeds({
    store,
    bus,
    userHints,
    maxIdle: idleRooms,
    idleMs,
    headCheckMs: shared,
    limits,
    reportFault,
  });
  const writer = new LogWriter({
    database,
    store,
    feeds,
    clock,
    maxBatch: config.database.logBatch,
    maxWaiting,
    tracing,
    lanes: logWritersFor(database, config.database),
    reportFault,
    committed: ({ size, durationMs }) => metrics.committed(size, durationMs),
  });
  metrics.watch("log_waiting", () => writer.waiting);
  metrics.watch("rooms_active", () => feeds.size);
  const purge = new Purge(store, reportFault);
  const retention = new Retention({ store, feeds, clock, retentionMs: config.database.retentionMs, reportFault });
  return { feeds, writer, userHints, checkMs: shared, purge, retention };
}
