import { Feeds } from "../log/feeds.ts";
import { UserHints } from "../log/user-hints.ts";
import { LogWriter } from "../log/writer.ts";
import { Hub } from "../realtime/hub.ts";
import { Purge } from "../services/rooms/purge.ts";
import { updateUser } from "../store/users.ts";
import type { Accounts } from "./accounts.ts";
import type { Node } from "./node.ts";

/** Bytes of encoded events kept in memory for each active room, at most. */
const ringBytes = 512 * 1024;
/** Rooms kept in memory beyond those that somebody on this node follows. */
const idleRooms = 10_000;
/**
 * How often the Store is asked for what hints have not brought (milliseconds). With a turn of the hub's watch (1 s) and the time
 * of the statement it stays well under the 5 s within which a lost hint must be healed.
 */
const checkMs = 2000;
/** Sends and changes per transaction, and such as may wait. */
const batching = { maxBatch: 512, maxWaiting: 20_000 };

/** The rooms' logs, and who follows them. */
export interface Rooms {
  readonly feeds: Feeds;
  readonly writer: LogWriter;
  readonly hub: Hub;
  readonly purge: Purge;
}

export function openRooms({ config, log, clock, metrics, database, store, bus }: Node, { auth }: Accounts): Rooms {
  const reportFault = (error: unknown): void => log.error({ err: error }, "Something failed that nobody waits for");
  const { ringEvents, catchUpPageEvents } = config.realtime;
  const limits = { ringEvents, ringBytes, pageSize: catchUpPageEvents };
  const userHints = new UserHints(bus);
  const shared = config.database.engine === "postgres" ? checkMs : undefined;
  const feeds = new Feeds({
    store,
    bus,
    userHints,
    maxIdle: idleRooms,
    headCheckMs: shared,
    limits,
    reportFault,
  });
  const writer = new LogWriter({
    database,
    feeds,
    clock,
    ...batching,
    committed: ({ size, durationMs }) => metrics.committed(size, durationMs),
  });
  const hub = new Hub({
    ...config.realtime,
    connectionsPerUser: config.limits.connectionsPerUser,
    store,
    feeds,
    userHints,
    checkMs: shared,
    metrics,
    reportFault,
    now: () => clock.now(),
    stillValid: (ids) => auth.identities.stillValid(ids),
    lastSeen: (userId, at) => void updateUser(store, userId, { last_seen_at: new Date(at) }).catch(reportFault),
  });
  auth.identities.onEnded(({ sessionIds, userId, reason }) => {
    if (sessionIds) hub.endSessions(sessionIds, reason);
    if (userId !== undefined) hub.endUser(userId, reason);
  });
  metrics.watch("log_waiting", () => writer.waiting);
  metrics.watch("rooms_active", () => feeds.size);
  metrics.watch("password_hashes_waiting", () => auth.hashing.waiting);
  return { feeds, writer, hub, purge: new Purge(store, reportFault) };
}
