import type { IClientPublishOptions, MqttClient } from "mqtt";
import { generate } from "mqtt-packet";

/** The largest packet that the broker takes (MQTT 5, section 3.2.2.3.6): it ends the connection of whoever sends a larger one. */
export class PacketLimit {
  #bytes = Number.POSITIVE_INFINITY;

  /** To be made before the client is connected. */
  constructor(client: MqttClient) {
    client.on("connect", ({ properties }) => {
      this.#bytes = properties?.maximumPacketSize ?? Number.POSITIVE_INFINITY;
    });
  }

  /** Whether a message may be published. */
  allows(topic: string, payload: string, { qos = 0, properties = {} }: IClientPublishOptions): boolean {
    if (this.#bytes === Number.POSITIVE_INFINITY) return true;
    const packet = { cmd: "publish", topic, payload, qos, properties, messageId: 1, dup: false, retain: false } as const;
    return generate(packet, { protocolVersion: 5 }).length <= this.#bytes;
  }
}
