import type { Realtime } from "../realtime/connection.ts";
import type { Api } from "../services/api.ts";
import { serveMqtt } from "../transports/mqtt/server.ts";
import { transientSessions } from "../transports/mqtt/sessions.ts";
import type { MqttDoor } from "../transports/protocols.ts";
import type { Base } from "./node.ts";

/** The door for MQTT. */
export function mqttOf({ config, log }: Base, api: Api, realtime: Realtime): MqttDoor {
  return serveMqtt({ api, realtime, sessions: transientSessions, maxBytes: config.limits.frameBytes, log });
}
