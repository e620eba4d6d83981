import type { MqttSessionsService, ServiceImpl } from "@parlor/contract";
import type { Call } from "../../domain/call.ts";
import type { SessionStore } from "../../realtime/session-store.ts";
import { heldOf, placesOf, stateOf, subscriptionsOf } from "./messages.ts";

/** Keeps the sessions of MQTT clients for gateways that have no Store. */
export function createMqttSessionsService(sessions: SessionStore): ServiceImpl<typeof MqttSessionsService, Call> {
  return {
    async takeSession(wish) {
      const { epoch, stored } = await sessions.take(wish);
      if (!stored) return { epoch };
      const { subscriptions, cursors, settledAt } = stored;
      return { epoch, stored: { subscriptions: [...subscriptions], places: [...placesOf(cursors)], settledAt } };
    },
    async storeSubscriptions({ held, subscriptions, endedRoomIds }) {
      return { held: await sessions.subscribe(heldOf(held), subscriptionsOf(subscriptions), endedRoomIds) };
    },
    async saveSessions(request) {
      return { held: [...(await sessions.save(request.sessions.map(stateOf)))] };
    },
    async leaveSession({ session, keptSeconds }) {
      if (session) await sessions.leave(stateOf(session), keptSeconds);
      return {};
    },
  };
}
