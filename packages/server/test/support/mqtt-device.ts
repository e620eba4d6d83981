// A device that speaks MQTT by the client of npm, with everything that came to it.
import mqtt, { type IClientOptions, type IConnackPacket, type IPublishPacket, type MqttClient } from "mqtt";
import { Inbox } from "./inbox.ts";

export interface Got {
  readonly topic: string;
  readonly text: string;
  readonly packet: IPublishPacket;
}

export interface Device extends AsyncDisposable {
  readonly client: MqttClient;
  readonly connack: IConnackPacket;
  readonly inbox: Inbox<Got>;
}

/** Connects once. @throws ErrorWithReasonCode when it is refused */
export async function connectDevice(url: string, options: IClientOptions): Promise<Device> {
  const client = mqtt.connect(url, { reconnectPeriod: 0, ...options });
  const inbox = new Inbox<Got>();
  client.on("message", (topic, payload, packet) => inbox.put({ topic, text: payload.toString(), packet }));
  const connack = await new Promise<IConnackPacket>((resolve, reject) => client.once("connect", resolve).once("error", reject));
  client.on("error", () => {});
  return { client, connack, inbox, [Symbol.asyncDispose]: () => client.endAsync(true) };
}

export const eventsOf = (roomId: string): string => `parlor/v1/rooms/${roomId}/events`;
export const sendTo = (roomId: string): string => `parlor/v1/rooms/${roomId}/send`;

/** The texts of the messages that came, in order. */
export function texts(inbox: Inbox<Got>): string[] {
  return inbox.items.flatMap(
    ({ text }) => (JSON.parse(text) as { messageSent?: { message: { text: string } } }).messageSent?.message.text ?? [],
  );
}
