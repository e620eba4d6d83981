// The composition root: config -> engines -> services -> transports, wired by hand.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { AuthService, MessagesService, PresenceService, RoomsService, UsersService } from "@parlor/contract";
import type { Kysely } from "kysely";
import { RateLimiter } from "../domain/rate-limits.ts";
import { MemoryBusHub } from "../engines/bus-memory.ts";
import { Feeds } from "../log/feeds.ts";
import { LogWriter } from "../log/writer.ts";
import type { Bus } from "../ports/bus.ts";
import { type Clock, systemClock } from "../ports/clock.ts";
import type { Database } from "../ports/database.ts";
import { type Log, noLog } from "../ports/log.ts";
import { Hub } from "../realtime/hub.ts";
import { Dispatcher, hosted } from "../services/dispatcher.ts";
import { createMessagesService } from "../services/messages/messages-service.ts";
import { createPresenceService } from "../services/presence/presence-service.ts";
import { Purge } from "../services/rooms/purge.ts";
import { createRoomsService } from "../services/rooms/rooms-service.ts";
import { createUsersService } from "../services/users/users-service.ts";
import { durabilityWarnings } from "../store/durability.ts";
import { storeOver } from "../store/kysely.ts";
import { migrate } from "../store/migrator.ts";
import type { Schema } from "../store/schema.ts";
import { updateUser } from "../store/users.ts";
import { type Listener, listen } from "../transports/listen.ts";
import { type Accounts, openAccounts } from "./accounts.ts";
import type { Admin } from "./admin.ts";
import { adminOf } from "./admin-of.ts";
import type { Config } from "./config.ts";
import { openDatabase } from "./database.ts";
import { createMetrics, type PrometheusMetrics } from "./metrics.ts";
import { securityLog } from "./security-log.ts";

/** Bytes of encoded events kept in memory for each active room, at most. */
const ringBytes = 512 * 1024;
/** Rooms kept in memory beyond those that somebody on this node follows. */
const idleRooms = 10_000;
/** A last hint that was lost is noticed this late (milliseconds). */
const headCheckMs = 5000;
/** Sends and changes per transaction, and such as may wait. */
const batching = { maxBatch: 512, maxWaiting: 20_000 };
/** Log-ins of one address, right or wrong: about what a core can hash. */
const logInsPerAddress = { perSecond: 2, burst: 60 };
/** On a shutdown, clients come back within this time, each at its own moment (milliseconds). */
const comeBackMs = 5000;

export interface RunningServer {
  readonly port: number;
  readonly grpcPort: number | undefined;
  /** Where a browser on this machine finds it, without a slash at its end. */
  readonly url: string;
  readonly admin: Admin;
  /** Says goodbye to everyone, answers what was accepted, and ends. */
  close(): Promise<void>;
}

export interface StartOptions {
  readonly log?: Log;
  readonly clock?: Clock;
  /** An open database instead of the config's; it is closed with the server. */
  readonly database?: Database;
}

/** What the parts of a node share. */
interface Node {
  readonly config: Config;
  readonly log: Log;
  readonly clock: Clock;
  readonly metrics: PrometheusMetrics;
  readonly database: Database;
  readonly store: Kysely<Schema>;
  readonly bus: Bus;
}

/** Starts a server. @throws DatabaseError, SigningKeyError, Error when the port is taken */
export async function startServer(
  config: Config,
  { log = noLog, clock = systemClock, ...given }: StartOptions = {},
): Promise<RunningServer> {
  const database = given.database ?? (await openDatabase(config.database));
  try {
    const store = storeOver(database);
    await migrate(store);
    for (const warning of await durabilityWarnings(database)) log.warn({}, warning);
    const node = { config, log, clock, metrics: createMetrics(), database, store, bus: new MemoryBusHub().join() };
    return await serve(node);
  } catch (error) {
    await database.close();
    throw error;
  }
}

async function serve(node: Node): Promise<RunningServer> {
  const { config, log, store, bus, clock } = node;
  const accounts = await openAccounts(config, store, bus, clock, securityLog(log));
  const rooms = openRooms(node, accounts);
  const dispatcher = new Dispatcher(dispatching(node, accounts), servicesOf(node, accounts, rooms));
  rooms.hub.start(dispatcher);
  rooms.purge.start();
  const listener = await listen({
    config: { ...config.server, connectionsPerAddress: config.limits.connectionsPerAddress, frameBytes: config.limits.frameBytes },
    api: dispatcher,
    realtime: rooms.hub,
    operations: operationsOf(node, accounts),
    documents: { openapi: contractFile("openapi.json"), asyncapi: contractFile("asyncapi.json") },
    log,
  });
  const close = (): Promise<void> => shutDown(node, listener, accounts, rooms);
  return {
    port: listener.port,
    grpcPort: listener.grpcPort,
    url: config.server.publicUrl ?? listener.url,
    admin: adminOf(accounts),
    close,
  };
}

interface Rooms {
  readonly feeds: Feeds;
  readonly writer: LogWriter;
  readonly hub: Hub;
  readonly purge: Purge;
}

function openRooms({ config, log, clock, metrics, database, store, bus }: Node, { auth }: Accounts): Rooms {
  const reportFault = (error: unknown): void => log.error({ err: error }, "Something failed that nobody waits for");
  const { ringEvents, catchUpPageEvents } = config.realtime;
  const limits = { ringEvents, ringBytes, pageSize: catchUpPageEvents };
  const feeds = new Feeds({
    store,
    bus,
    maxIdle: idleRooms,
    headCheckMs: config.database.engine === "postgres" ? headCheckMs : undefined,
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
  metrics.watch("rooms_active", () => feeds.size);
  metrics.watch("password_hashes_waiting", () => auth.hashing.waiting);
  return { feeds, writer, hub, purge: new Purge(store, reportFault) };
}

function servicesOf({ config, store, clock }: Node, { auth, users }: Accounts, { feeds, writer, hub, purge }: Rooms) {
  const rooms = { store, feeds, writer, clock, pageTokens: auth.pageTokens };
  const readMarked = hub.readMarked.bind(hub);
  return [
    hosted(AuthService, auth.authService),
    hosted(UsersService, createUsersService(users)),
    hosted(RoomsService, createRoomsService(rooms, purge)),
    hosted(MessagesService, createMessagesService({ ...rooms, maxCharacters: config.limits.messageCharacters, readMarked })),
    hosted(PresenceService, createPresenceService({ store, presences: hub.presences })),
  ];
}

function dispatching({ config: { limits }, clock, metrics, log }: Node, { auth }: Accounts) {
  const allowances = {
    calls: { perSecond: limits.callsPerSecond, burst: limits.callsBurst },
    sends: { perSecond: limits.sendsPerSecond, burst: limits.sendsBurst },
    signUps: { perSecond: limits.signUpsPerMinute / 60, burst: limits.signUpsPerMinute },
    logIns: logInsPerAddress,
  };
  return {
    verify: (token: string) => auth.identities.verify(token),
    limiter: new RateLimiter(clock),
    ...(limits.rateLimits && { allowances }),
    securityLog: securityLog(log),
    metrics,
  };
}

function operationsOf({ config, database, metrics }: Node, { auth }: Accounts) {
  return {
    ready: () =>
      database.query("select 1").then(
        () => true,
        () => false,
      ),
    jwks: () => auth.keys.jwks,
    metrics: async () => ({ contentType: metrics.contentType, text: await metrics.render() }),
    metricsFor: config.server.metrics,
  };
}

function contractFile(name: string): string {
  return readFileSync(fileURLToPath(import.meta.resolve(`@parlor/contract/${name}`)), "utf8");
}

/** Nobody new, goodbye to everyone, then whatever was accepted is stored and answered before the database is let go. */
async function shutDown(
  { config, bus, database }: Node,
  listener: Listener,
  { auth }: Accounts,
  { feeds, writer, hub, purge }: Rooms,
): Promise<void> {
  listener.drain();
  await writer.idle();
  hub.drain(comeBackMs);
  await listener.close(config.server.drainMs);
  await writer.idle();
  await purge.stop();
  feeds.close();
  auth.identities.close();
  await bus.close();
  await database.close();
}
