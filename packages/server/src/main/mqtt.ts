import type { Realtime } from "../realtime/connection.ts";
import { type DurableSessions, transientSessions } from "../realtime/durable-session.ts";
import { StoredSessions } from "../realtime/durable-sessions.ts";
import type { Api } from "../services/api.ts";
import { serveMqtt } from "../transports/mqtt/server.ts";
import type { MqttDoor } from "../transports/protocols.ts";
import { type Base, type Node, reportFaults } from "./node.ts";

/** Most sessions of MQTT clients of one person. */
const sessionsPerUser = 100;

/** MQTT, and what outlives its connections. */
export interface Mqtt {
  readonly door: MqttDoor;
  /** To be called when no connection is left. */
  close(): Promise<void>;
}

/** @param node left out where there is no Store: then sessions end with their connections */
export function openMqtt(base: Base, node: Node | undefined, api: Api, realtime: Realtime): Mqtt {
  const { config, log, bus } = base;
  const longestSeconds = config.server.mqttSessionMs / 1000;
  const stored = node && new StoredSessions({ store: node.store, bus, longestSeconds, sessionsPerUser, reportFault: reportFaults(log) });
  const sessions: DurableSessions = stored ?? transientSessions;
  return {
    door: serveMqtt({ api, realtime, sessions, maxBytes: config.limits.frameBytes, log }),
    close: async () => stored?.close(),
  };
}
