import type { Protocol } from "../protocol.ts";
import { mqtt, mqttQos1, parlorMqtt, parlorMqttQos1 } from "./mqtt.ts";
import { parlorGrpc, parlorJson, parlorProto } from "./parlor.ts";
import { plainGrpc } from "./plain-grpc.ts";
import { plainWebSocket } from "./plain-websocket.ts";
import { socketIo } from "./socket-io.ts";
import { xmpp } from "./xmpp.ts";

/** The clients by the names that subjects give. */
export const protocols: Readonly<Record<string, Protocol>> = {
  mqtt,
  mqttQos1,
  parlorGrpc,
  parlorJson,
  parlorMqtt,
  parlorMqttQos1,
  parlorProto,
  plainGrpc,
  plainWebSocket,
  socketIo,
  xmpp,
};
