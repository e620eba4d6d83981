import { AuthService, MessagesService, PresenceService, RoomsService, UsersService } from "@parlor/contract";
import { RateLimiter } from "../domain/rate-limits.ts";
import { type DispatcherOptions, type Hosted, hosted } from "../services/dispatcher.ts";
import { createMessagesService } from "../services/messages/messages-service.ts";
import { createPresenceService } from "../services/presence/presence-service.ts";
import { createRoomsService } from "../services/rooms/rooms-service.ts";
import { createUsersService } from "../services/users/users-service.ts";
import type { Accounts } from "./accounts.ts";
import type { Node } from "./node.ts";
import type { Rooms } from "./rooms.ts";
import { securityLog } from "./security-log.ts";

/** Log-ins of one address, right or wrong: about what a core can hash. */
const logInsPerAddress = { perSecond: 2, burst: 60 };

export function servicesOf({ config, store, clock }: Node, { auth, users }: Accounts, { feeds, writer, hub, purge }: Rooms): Hosted[] {
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

/** What the dispatcher needs beside the services. */
export function dispatching({ config: { limits }, clock, metrics, log }: Node, { auth }: Accounts): DispatcherOptions {
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
