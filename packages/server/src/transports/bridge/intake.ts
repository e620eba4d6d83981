import type { IPublishPacket, MqttClient } from "mqtt";
import { generate } from "mqtt-packet";
import { sendTopic } from "./topics.ts";

/** Sends under way at a time, at most; the broker is told not to have more of them unacknowledged (MQTT 5, section 3.1.2.11.3). */
export const mostUnderWay = 64;

/** To mqtt, a message that was not handled is one that it does not acknowledge. */
const acknowledgedLater = new Error("It is acknowledged later.");

interface Received {
  readonly packet: IPublishPacket;
  readonly connection: object;
  stored: boolean;
}

/**
 * What a broker delivers, taken without waiting for what came before, so that sends share commits. Those of one user are stored one
 * after the other. Packets are acknowledged in the order in which they came, as MQTT has it (MQTT 5, section 4.6).
 */
export class Intake {
  readonly #client: MqttClient;
  readonly #take: (packet: IPublishPacket) => Promise<void>;
  /** The last send of each user who has one under way. */
  readonly #lanes = new Map<string, Promise<void>>();
  #unacknowledged: Received[] = [];
  #connection = {};
  #underWay = 0;
  #resume: (() => void) | undefined;

  /** @param take resolves when the packet may be acknowledged; rejects when it never may, nor any after it */
  constructor(client: MqttClient, take: (packet: IPublishPacket) => Promise<void>) {
    this.#client = client;
    this.#take = take;
    client.handleMessage = (packet, callback) => this.#receive(packet, () => callback(acknowledgedLater));
    client.on("close", () => this.#forget());
  }

  #receive(packet: IPublishPacket, next: () => void): void {
    const received = { packet, connection: this.#connection, stored: false };
    if (packet.qos > 0) this.#unacknowledged.push(received);
    // A rejection means that the bridge is closed: the broker keeps what was not acknowledged.
    void this.#inLane(sendTopic(packet.topic)?.username ?? "", received).catch(() => undefined);
    if (this.#underWay < mostUnderWay) next();
    else this.#resume = next;
  }

  async #inLane(username: string, received: Received): Promise<void> {
    const before = this.#lanes.get(username);
    const mine = this.#store(before, received);
    this.#lanes.set(username, mine);
    this.#underWay++;
    try {
      await mine;
    } finally {
      this.#underWay--;
      if (this.#lanes.get(username) === mine) this.#lanes.delete(username);
    }
    received.stored = true;
    this.#acknowledge();
    const resume = this.#resume;
    this.#resume = undefined;
    resume?.();
  }

  async #store(before: Promise<void> | undefined, { packet, connection }: Received): Promise<void> {
    await before;
    // What was not begun when the connection was lost comes again.
    if (packet.qos === 0 || connection === this.#connection) await this.#take(packet);
  }

  #acknowledge(): void {
    const open = this.#unacknowledged.findIndex(({ stored }) => !stored);
    const ready = this.#unacknowledged.splice(0, open < 0 ? this.#unacknowledged.length : open);
    if (ready.length === 0 || !this.#client.connected) return;
    const packets = ready.map(({ packet }) =>
      generate({ cmd: "puback", messageId: packet.messageId as number, reasonCode: 0 }, { protocolVersion: 5 }),
    );
    this.#client.stream.write(Buffer.concat(packets));
  }

  /** The broker sends again what was not acknowledged. */
  #forget(): void {
    this.#connection = {};
    this.#unacknowledged = [];
  }
}
