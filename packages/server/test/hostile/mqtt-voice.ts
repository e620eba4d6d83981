// A device that is hostile: it says any bytes, on any of the ways, and what it is told must be right.
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import type { Duplex } from "node:stream";
import { type Packet, parser } from "mqtt-packet";
import { createWebSocketStream, WebSocket } from "ws";

/** The shared port, the listener of MQTT alone, or WebSocket with the subprotocol mqtt. */
export type MqttWay = "shared" | "own" | "websocket";

export interface MqttPlaces {
  readonly port: number;
  readonly mqttPort: number;
}

/** How long it waits for the answer to something that may have been cut off (milliseconds). */
const patienceMs = 250;

/** Says an opening, waits until it is let in, and says the rest; answers what it was told. @throws AssertionError when that cannot be read */
export async function converse(stream: Duplex, version: 4 | 5, opening: Buffer, rest: readonly Buffer[]): Promise<Packet[]> {
  const told: Packet[] = [];
  const wrong: Error[] = [];
  let heard = Promise.withResolvers<void>();
  const reader = parser({ protocolVersion: version });
  reader.on("packet", (packet: Packet) => {
    told.push(packet);
    heard.resolve();
    heard = Promise.withResolvers();
  });
  reader.on("error", (error: Error) => wrong.push(error));
  const closed = new Promise<void>((resolve) => stream.once("close", () => resolve()));
  stream.on("error", () => undefined);
  // On the shared port what does not begin like MQTT is answered by HTTP.
  stream.on("data", (bytes: Buffer) => !(told.length === 0 && bytes.toString("latin1").startsWith("HTTP/")) && reader.parse(bytes));
  const until = async (kind: Packet["cmd"]): Promise<void> => {
    const late = AbortSignal.timeout(patienceMs);
    const over = once(late, "abort");
    while (!told.some(({ cmd }) => cmd === kind) && !late.aborted && !stream.destroyed) await Promise.race([heard.promise, closed, over]);
  };
  stream.write(opening);
  await until("connack");
  for (const bytes of told.length === 0 ? [] : rest) stream.write(bytes);
  await until("pingresp");
  stream.end();
  const timer = setTimeout(() => stream.destroy(), patienceMs);
  await closed;
  clearTimeout(timer);
  assert.deepEqual(wrong, []);
  return told;
}

export async function openWay(way: MqttWay, { port, mqttPort }: MqttPlaces): Promise<Duplex> {
  if (way === "websocket") {
    const webSocket = new WebSocket(`ws://127.0.0.1:${port}/mqtt`, "mqtt");
    await once(webSocket, "open");
    return createWebSocketStream(webSocket);
  }
  const socket = connect(way === "own" ? mqttPort : port, "127.0.0.1");
  await once(socket, "connect");
  return socket;
}

/** Each answer by name: "OK", the reason that it gives, or its code. */
export function answersIn(told: readonly Packet[]): string[] {
  return told.flatMap((packet) => {
    if (!["connack", "puback", "disconnect"].includes(packet.cmd)) return [];
    const { reasonCode = 0, properties } = packet as { reasonCode?: number; properties?: { userProperties?: { reason?: string } } };
    return reasonCode === 0 ? "OK" : (properties?.userProperties?.reason ?? `MQTT ${packet.cmd} 0x${reasonCode.toString(16)}`);
  });
}
