import type { MqttDoor } from "../protocols.ts";
import { requestIdOf } from "../request-id.ts";
import { type ConnectionContext, MqttConnection } from "./connection.ts";
import { SharedGroups } from "./shared-groups.ts";

/** Serves MQTT 3.1.1 and 5 on the connections that it is given. */
export function serveMqtt(options: Omit<ConnectionContext, "groups">): MqttDoor {
  const context = { ...options, groups: new SharedGroups() };
  return (stream, address) => void new MqttConnection(stream, { protocol: "mqtt", address, requestId: requestIdOf(undefined) }, context);
}
