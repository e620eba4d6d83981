import { writeToStream } from "mqtt-packet";
import { RateLimiter } from "../../domain/rate-limits.ts";
import type { MqttDoor } from "../protocols.ts";
import { requestIdOf } from "../request-id.ts";
import { type ConnectionContext, MqttConnection } from "./connection.ts";

/** Serves MQTT 3.1.1 and 5 on the connections that it is given. */
export function serveMqtt(options: Omit<ConnectionContext, "asks">): MqttDoor {
  // Else the library makes a buffer for each of 65,536 numbers with its first packet: 50 ms, and 18 MB for good, to save 0.1 µs a packet.
  writeToStream.cacheNumbers = false;
  const context = { ...options, asks: new RateLimiter({ now: () => performance.now() }) };
  return (stream, address) => void new MqttConnection(stream, { protocol: "mqtt", address, requestId: requestIdOf(undefined) }, context);
}
