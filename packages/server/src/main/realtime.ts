import { Hub } from "../realtime/hub.ts";
import { seeUsers } from "../store/users.ts";
import type { Accounts } from "./accounts.ts";
import { type Node, reportFaults } from "./node.ts";
import type { Rooms } from "./rooms.ts";

/** Who follows the rooms' logs. */
export function openHub(
  { config, log, clock, metrics, store, bus, clustered, tracing }: Node,
  { auth }: Accounts,
  { feeds, userHints, checkMs }: Rooms,
): Hub {
  const reportFault = reportFaults(log);
  const hub = new Hub({
    ...config.realtime,
    connectionsPerUser: config.limits.connectionsPerUser,
    store,
    feeds,
    userHints,
    checkMs,
    bus: clustered ? bus : undefined,
    metrics,
    tracing,
    reportFault,
    now: () => clock.now(),
    stillValid: (ids) => auth.identities.stillValid(ids),
    lastSeen: (userIds, at) => void seeUsers(store, userIds, new Date(at)).catch(reportFault),
  });
  auth.identities.onEnded(({ sessionIds, userId, reason }) => {
    if (sessionIds) hub.endSessions(sessionIds, reason);
    if (userId !== undefined) hub.endUser(userId, reason);
  });
  auth.identities.onDoubt((userId) => hub.doubt(userId));
  return hub;
}
