import { clientDriver } from "./client.ts";
import type { Driver } from "./driver.ts";
import { grpcDriver } from "./grpc.ts";
import { mqttDriver } from "./mqtt.ts";

interface Place {
  readonly port: number;
  readonly url: string;
}

/** Every way to speak to a server. */
export function driversOf({ port, url }: Place): readonly Driver[] {
  return [grpcDriver(port), clientDriver(url, "json"), clientDriver(url, "proto")];
}

/** These, and MQTT with REST beside it. */
export function driversWithMqtt(place: Place): readonly Driver[] {
  return [...driversOf(place), mqttDriver(place)];
}

/** What they are called, in their order. */
export const driverNames = ["gRPC", "REST + WebSocket JSON", "REST + WebSocket protobuf", "MQTT 5 + REST"] as const;
