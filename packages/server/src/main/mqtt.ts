import { Code, ParlorError } from "@parlor/contract";
import type { Log } from "../ports/log.ts";
import type { Realtime } from "../realtime/connection.ts";
import { DatabaseSessions } from "../realtime/database-sessions.ts";
import { StoredSessions } from "../realtime/durable-sessions.ts";
import type { SessionStore } from "../realtime/session-store.ts";
import type { Api } from "../services/api.ts";
import { serveMqtt } from "../transports/mqtt/server.ts";
import { SharedGroups } from "../transports/mqtt/shared-groups.ts";
import type { MqttDoor } from "../transports/protocols.ts";
import { type Base, type Node, reportFaults } from "./node.ts";

/** Most sessions of MQTT clients of one person. */
const sessionsPerUser = 100;

/** The sessions of MQTT clients, where there is a Store. */
export function openSessions({ store, log }: Node): DatabaseSessions {
  return new DatabaseSessions({ store, sessionsPerUser, reportFault: reportFaults(log) });
}

/** MQTT, and what outlives its connections. */
export interface Mqtt {
  readonly door: MqttDoor;
  /** To be called when no connection is left. */
  close(): Promise<void>;
}

/** What MQTT serves, and where its sessions are kept. */
export interface MqttParts {
  readonly api: Api;
  readonly realtime: Realtime;
  readonly kept: SessionStore;
}

/** That the realtime service is away is no fault of a gateway: what was acknowledged, and could not be stored, comes again. */
function reportLosses(log: Log): (error: unknown) => void {
  const reportFault = reportFaults(log);
  return (error) => {
    if (error instanceof ParlorError && error.code === Code.UNAVAILABLE)
      log.warn({ reason: error.message }, "Where an MQTT client is could not be stored");
    else reportFault(error);
  };
}

/** @param isTold whether other nodes tell over the bus when they take a session */
export function openMqtt({ config, log, bus, clock, clustered }: Base, { api, realtime, kept }: MqttParts, isTold: boolean): Mqtt {
  const longestSeconds = config.server.mqttSessionMs / 1000;
  const sessions = new StoredSessions({ sessions: kept, bus, longestSeconds, isTold, reportFault: reportLosses(log) });
  const groups = new SharedGroups(clustered ? bus : undefined, () => clock.now());
  return {
    door: serveMqtt({ api, realtime, sessions, groups, maxBytes: config.limits.frameBytes, log }),
    close: async () => {
      groups.close();
      await sessions.close();
    },
  };
}
