import mqtt, { type IClientOptions, type MqttClient } from "mqtt";
import { mostUnderWay } from "./intake.ts";
import { LEADER } from "./topics.ts";

/** How long until the broker is looked for again (milliseconds). */
export const reconnectMs = 1000;
/** How long the broker keeps what comes while nobody takes it (seconds). */
const sessionSeconds = 7 * 24 * 3600;

const common: IClientOptions = {
  protocolVersion: 5,
  keepalive: 15,
  connectTimeout: 10_000,
  queueQoSZero: false,
  // At each connect it is done anew.
  resubscribe: false,
  // 18 MB of prepared numbers would save 0.1 µs a packet.
  writeCache: false,
};

/** A client that only watches. It connects again and again. */
export function connectWatcher(brokerUrl: string, name: string): MqttClient {
  return mqtt.connect(brokerUrl, { ...common, clientId: `${name}-watch`, clean: true, reconnectPeriod: reconnectMs });
}

/** A client that takes sends, in a session that the broker keeps. It connects again and again. */
export function connectReceiver(brokerUrl: string, clientId: string): MqttClient {
  const properties = { sessionExpiryInterval: sessionSeconds, receiveMaximum: mostUnderWay };
  return mqtt.connect(brokerUrl, { ...common, clientId, clean: false, reconnectPeriod: reconnectMs, properties });
}

/** The client of the bridge that leads: while it is connected, no other one can be. It does not come back by itself. */
export function connectLeader(brokerUrl: string): MqttClient {
  const will = { topic: LEADER, payload: Buffer.alloc(0), qos: 1, retain: true } as const;
  const client = mqtt.connect(brokerUrl, { ...common, clientId: "parlor-bridge-leader", clean: true, reconnectPeriod: 0, will });
  // Whatever it is, the connection closes with it, and the watcher reports what concerns the broker.
  client.on("error", () => undefined);
  return client;
}

/** Resolves when the client is connected, or closed instead: whether it is connected. */
export function connected(client: MqttClient): Promise<boolean> {
  return new Promise((resolve) => {
    client.once("connect", () => resolve(true));
    client.once("close", () => resolve(false));
  });
}
