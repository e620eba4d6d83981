// Devices that publish with QoS 1, with keys and without, and one that reads: sessions that come back after every crash.
import assert from "node:assert/strict";
import { setTimeout as later } from "node:timers/promises";
import { fromJsonString } from "@bufbuild/protobuf";
import { type Event, EventSchema, type Message } from "@parlor/contract";
import mqtt, { type MqttClient } from "mqtt";
import type { Person } from "../support/drivers/driver.ts";
import { Inbox } from "../support/inbox.ts";
import { eventsOf, sendTo } from "../support/mqtt-device.ts";
import { RawMqtt } from "../support/mqtt-raw.ts";
import type { Reader } from "./readers.ts";

async function connect(port: number, { token, user }: Person, clientId: string): Promise<MqttClient> {
  const client = mqtt.connect(`mqtt://127.0.0.1:${port}`, {
    protocolVersion: 5,
    clientId,
    clean: false,
    username: user.username,
    password: token,
    properties: { sessionExpiryInterval: 3600 },
    reconnectPeriod: 50,
    resubscribe: false,
  });
  client.on("error", () => undefined);
  await new Promise<void>((resolve) => void client.once("connect", () => resolve()));
  return client;
}

/** What is not acknowledged comes again, with the same `seq`; anything else out of turn is told at the end. */
export async function readByMqtt(port: number, person: Person, roomId: string): Promise<Reader> {
  const client = await connect(port, person, "reader");
  const heard = new Inbox<Event>();
  client.on("message", (_topic, payload) => {
    const event = fromJsonString(EventSchema, payload.toString());
    if (event.seq > (heard.items.at(-1)?.seq ?? 0)) heard.put(event);
  });
  await client.subscribeAsync(eventsOf(roomId), { qos: 1 });
  return { name: "MQTT", heard, close: () => void client.end(true) };
}

/** Publishes a text, and resolves when it is acknowledged; false when nobody knows. */
interface Publisher {
  publish(text: string): Promise<boolean>;
  close(): void;
}

/** The client of npm sends again without DUP: it needs a key. */
async function withKeys(port: number, person: Person, roomId: string): Promise<Publisher> {
  const client = await connect(port, person, "writer");
  return {
    publish: (text) =>
      client.publishAsync(sendTo(roomId), text, { qos: 1, properties: { userProperties: { client_message_id: text } } }).then(
        () => true,
        // While it sends again what it has kept, it gives up what is new when the connection breaks.
        () => false,
      ),
    close: () => void client.end(true),
  };
}

/** As the standard has it: what is not acknowledged is sent again with DUP, in order, right after the connection is open. */
class Resender implements Publisher {
  readonly #port: number;
  readonly #person: Person;
  readonly #topic: string;
  readonly #unacknowledged = new Map<number, { readonly payload: string; readonly done: (isDone: boolean) => void }>();
  #device: RawMqtt | undefined;
  #lastId = 0;
  #closed = false;

  constructor(port: number, person: Person, roomId: string) {
    this.#port = port;
    this.#person = person;
    this.#topic = sendTo(roomId);
    void this.#stay();
  }

  publish(payload: string): Promise<boolean> {
    const messageId = (this.#lastId % 7) + 1;
    this.#lastId = messageId;
    return new Promise((done) => {
      this.#unacknowledged.set(messageId, { payload, done });
      this.#send(messageId, payload, false);
    });
  }

  close(): void {
    this.#closed = true;
    this.#device?.socket.destroy();
  }

  #send(messageId: number, payload: string, dup: boolean): void {
    this.#device?.send({ cmd: "publish", topic: this.#topic, payload, qos: 1, messageId, dup, retain: false });
  }

  async #stay(): Promise<void> {
    while (!this.#closed) {
      const device = await RawMqtt.open(this.#port).catch(() => undefined);
      if (device) await this.#use(device);
      else await later(20);
    }
  }

  async #use(device: RawMqtt): Promise<void> {
    device.packets.onItem((packet) => {
      if (packet.cmd === "connack") {
        this.#device = device;
        for (const [messageId, { payload }] of this.#unacknowledged) this.#send(messageId, payload, true);
      } else if (packet.cmd === "puback") {
        const { messageId = 0 } = packet;
        this.#unacknowledged.get(messageId)?.done(packet.reasonCode === 0);
        this.#unacknowledged.delete(messageId);
      }
    });
    const { token, user } = this.#person;
    const properties = { sessionExpiryInterval: 3600 };
    const password = Buffer.from(token);
    device.send({ cmd: "connect", protocolVersion: 5, clientId: "resender", clean: false, username: user.username, password, properties });
    await device.closed;
    this.#device = undefined;
  }
}

export interface MqttWriter {
  run(): Promise<void>;
  stop(): void;
  close(): void;
  /** @throws AssertionError when a message with a PUBACK is not in history, or one is there twice */
  check(history: readonly Message[]): void;
}

/** Two devices, each with up to three messages at a time under way. */
export async function writeByMqtt(port: number, person: Person, roomId: string): Promise<MqttWriter> {
  const publishers = { keys: await withKeys(port, person, roomId), DUP: new Resender(port, person, roomId) };
  const acknowledged: string[] = [];
  let stopped = false;
  const write = async (name: string, publisher: Publisher): Promise<void> => {
    for (let n = 1; !stopped; n++) {
      const text = `${n} by MQTT ${name}`;
      if (await publisher.publish(text)) acknowledged.push(text);
    }
  };
  return {
    run: async () => {
      const each = Object.entries(publishers).flatMap(([name, publisher]) =>
        ["a", "b", "c"].map((one) => write(`${name} ${one}`, publisher)),
      );
      await Promise.all(each);
    },
    stop: () => {
      stopped = true;
    },
    close: () => {
      for (const publisher of Object.values(publishers)) publisher.close();
    },
    check(history): void {
      const stored = history.filter(({ authorId }) => authorId === person.user.id).map(({ text }) => text);
      const twice = stored.filter((text, i) => stored.indexOf(text) !== i);
      assert.deepEqual(twice, [], "a PUBLISH was stored twice");
      for (const name of Object.keys(publishers))
        assert.ok(
          acknowledged.some((text) => text.includes(name)),
          `nothing acknowledged with ${name}`,
        );
      const lost = acknowledged.filter((text) => !stored.includes(text));
      assert.deepEqual(lost, [], "what was acknowledged over MQTT is not in history");
    },
  };
}
