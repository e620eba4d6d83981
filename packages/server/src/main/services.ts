import { AuthService, MessagesService, MqttSessionsService, PresenceService, RoomsService, UsersService } from "@parlor/contract";
import type { Caller } from "../domain/call.ts";
import { RateLimiter } from "../domain/rate-limits.ts";
import type { DatabaseSessions } from "../realtime/database-sessions.ts";
import type { Hub } from "../realtime/hub.ts";
import { type DispatcherOptions, type Hosted, hosted } from "../services/dispatcher.ts";
import { createMessagesService } from "../services/messages/messages-service.ts";
import { createMqttSessionsService } from "../services/mqtt-sessions/mqtt-sessions-service.ts";
import { createPresenceService } from "../services/presence/presence-service.ts";
import { createRoomsService } from "../services/rooms/rooms-service.ts";
import { SharedLimits } from "../services/shared-limits.ts";
import { createUsersService } from "../services/users/users-service.ts";
import type { Accounts } from "./accounts.ts";
import type { Base, Node } from "./node.ts";
import type { Places } from "./places.ts";
import type { Rooms } from "./rooms.ts";
import { securityLog } from "./security-log.ts";

/** Log-ins of one address, right or wrong: about what a core can hash. */
const logInsPerAddress = { perSecond: 2, burst: 60 };

/** What this process has opened of what services work with. */
export interface Opened {
  readonly accounts: Accounts;
  /** Where rooms, messages or their streams are. */
  readonly rooms: Rooms | undefined;
  readonly hub: Hub | undefined;
  /** Where MQTT clients are, or their streams. */
  readonly sessions: DatabaseSessions | undefined;
}

/** The services that this process hosts. */
export function servicesHere(
  { config, store, clock, metrics }: Node,
  places: Places,
  { accounts, rooms, hub, sessions }: Opened,
): Hosted[] {
  const { auth, users } = accounts;
  const here: Hosted[] = [];
  if (places.has("auth")) {
    here.push(hosted(AuthService, auth.authService));
    metrics.watch("password_hashes_waiting", () => auth.hashing.waiting);
  }
  if (places.has("users")) here.push(hosted(UsersService, createUsersService(users)));
  if (rooms) {
    const context = { store, clock, pageTokens: auth.pageTokens, feeds: rooms.feeds, writer: rooms.writer };
    const messages = { ...context, maxCharacters: config.limits.messageCharacters, readMarked: readMarked(rooms, hub) };
    if (places.has("rooms")) here.push(hosted(RoomsService, createRoomsService(context, rooms)));
    if (places.has("messages")) here.push(hosted(MessagesService, createMessagesService(messages)));
  }
  if (hub) here.push(hosted(PresenceService, createPresenceService({ store, presences: hub.presences })));
  if (sessions && places.has("realtime")) here.push(hosted(MqttSessionsService, createMqttSessionsService(sessions)));
  return here;
}

/** Without a hub here, the connections are all on other nodes. */
function readMarked({ userHints }: Rooms, hub: Hub | undefined): Hub["readMarked"] {
  return hub ? hub.readMarked.bind(hub) : (userId, roomId, seq) => userHints.send(userId, { kind: "read", roomId, seq });
}

/** What the dispatcher needs beside the services. */
export function dispatching(base: Base, verify: (token: string) => Promise<Caller>): DispatcherOptions {
  const { config, metrics, log, tracing } = base;
  const { limits } = config;
  const allowances = {
    calls: { perSecond: limits.callsPerSecond, burst: limits.callsBurst },
    sends: { perSecond: limits.sendsPerSecond, burst: limits.sendsBurst },
    signUps: { perSecond: limits.signUpsPerMinute / 60, burst: limits.signUpsPerMinute },
    logIns: logInsPerAddress,
  };
  return {
    verify,
    limiter: limiterOf(base),
    ...(limits.rateLimits && { allowances }),
    securityLog: securityLog(log),
    metrics,
    tracing,
  };
}

function limiterOf({ config, clock, bus, clustered }: Base): RateLimiter {
  const limiter = new RateLimiter(clock);
  if (clustered && config.limits.rateLimits) new SharedLimits(bus, limiter).start();
  return limiter;
}
