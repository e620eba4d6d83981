// Devices that publish with QoS 1, with keys and without, and one that reads: sessions that come back after every crash, to any node.
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

/** Where a device connects: to one of these, and to another when it comes back. */
export type Ports = readonly number[];

async function connect(ports: Ports, { token, user }: Person, clientId: string): Promise<MqttClient> {
  const client = mqtt.connect({
    servers: ports.map((port) => ({ host: "127.0.0.1", port, protocol: "mqtt" as const })),
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
export async function readByMqtt(ports: Ports, person: Person, roomId: string): Promise<Reader> {
  const client = await connect(ports, person, "reader");
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
  /** Breaks the connection: the node lives on, and the device comes back to any. */
  cutOff(): void;
  close(): void;
}

/** The client of npm sends again without DUP: it needs a key. */
async function withKeys(ports: Ports, person: Person, roomId: string): Promise<Publisher> {
  const client = await connect(ports, person, "writer");
  return {
    publish: (text) =>
      client.publishAsync(sendTo(roomId), text, { qos: 1, properties: { userProperties: { client_message_id: text } } }).then(
        () => true,
        // While it sends again what it has kept, it gives up what is new when the connection breaks.
        () => false,
      ),
    cutOff: () => void client.stream.destroy(),
    close: () => void client.end(true),
  };
}

/** As the standard has it: what is not acknowledged is sent again with DUP, in order, right after the connection is open. */
class Resender implements Publisher {
  readonly #ports: Ports;
  readonly #person: Person;
  readonly #topic: string;
  readonly #unacknowledged = new Map<number, { readonly payload: string; readonly done: (isDone: boolean) => void }>();
  #device: RawMqtt | undefined;
  #lastId = 0;
  #closed = false;

  constructor(ports: Ports, person: Person, roomId: string) {
    this.#ports = ports;
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

  cutOff(): void {
    this.#device?.socket.destroy();
  }

  close(): void {
    this.#closed = true;
    this.cutOff();
  }

  #send(messageId: number, payload: string, dup: boolean): void {
    this.#device?.send({ cmd: "publish", topic: this.#topic, payload, qos: 1, messageId, dup, retain: false });
  }

  async #stay(): Promise<void> {
    for (let turn = 0; !this.#closed; turn++) {
      const device = await RawMqtt.open(this.#ports[turn % this.#ports.length] as number).catch(() => undefined);
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
  /** How many messages have a PUBACK. */
  readonly count: number;
  /** Resolves when so many more have one. */
  acknowledges(more: number): Promise<void>;
  /** Breaks the connections of both devices. */
  cutOff(): void;
  close(): void;
  /** @throws AssertionError when a message with a PUBACK is not in history, or one is there twice */
  check(history: readonly Message[]): void;
}

/**
 * Two devices, each with up to three messages at a time under way.
 * @param everyMs how long each waits before it publishes the next one
 */
export async function writeByMqtt(ports: Ports, person: Person, roomId: string, everyMs = 0): Promise<MqttWriter> {
  const publishers = { keys: await withKeys(ports, person, roomId), DUP: new Resender(ports, person, roomId) };
  const acknowledged = new Inbox<string>();
  let stopped = false;
  const write = async (name: string, publisher: Publisher): Promise<void> => {
    for (let n = 1; !stopped; n++) {
      const text = `${n} by MQTT ${name}`;
      if (await publisher.publish(text)) acknowledged.put(text);
      if (everyMs > 0) await later(everyMs);
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
    get count() {
      return acknowledged.items.length;
    },
    acknowledges(more) {
      const enough = acknowledged.items.length + more;
      return acknowledged.until(({ length }) => length >= enough);
    },
    cutOff: () => {
      for (const publisher of Object.values(publishers)) publisher.cutOff();
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
          acknowledged.items.some((text) => text.includes(name)),
          `nothing acknowledged with ${name}`,
        );
      const lost = acknowledged.items.filter((text) => !stored.includes(text));
      assert.deepEqual(lost, [], "what was acknowledged over MQTT is not in history");
    },
  };
}
