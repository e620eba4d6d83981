// A device that reads with QoS 1, comes back to any node, and holds the server to what the standard promises its session.
import assert from "node:assert/strict";
import { setTimeout as later } from "node:timers/promises";
import { fromJsonString } from "@bufbuild/protobuf";
import { type Event, EventSchema } from "@parlor/contract";
import type { IPublishPacket } from "mqtt-packet";
import type { Person } from "../support/drivers/driver.ts";
import { Inbox } from "../support/inbox.ts";
import { eventsOf } from "../support/mqtt-device.ts";
import { RawMqtt } from "../support/mqtt-raw.ts";
import type { Random } from "../support/random.ts";
import type { Ports } from "./mqtt.ts";
import type { Reader } from "./readers.ts";

export interface SessionOptions {
  readonly version: 4 | 5;
  readonly clientId: string;
  /** Receive Maximum, in MQTT 5. */
  readonly window: number;
  readonly filter: string;
}

/** Acknowledgements that it keeps back at most, to lose them with its connection. */
const keptBack = 3;
/** What was acknowledged so long before a connection broke does not come again (milliseconds); places are stored each second. */
const storedWithinMs = 5000;

export class SessionReader implements Reader {
  readonly name: string;
  readonly heard = new Inbox<Event>();
  readonly #ports: Ports;
  readonly #person: Person;
  readonly #options: SessionOptions;
  readonly #random: Random;
  readonly #acknowledgedAt = new Map<number, number>();
  /** When its last connection broke (performance.now). */
  #brokeAt = 0;
  #last = 0;
  #device: RawMqtt | undefined;
  #closed = false;
  /** Events that came again. */
  repeats = 0;
  /** What was not as it should be. */
  readonly wrong: string[] = [];

  private constructor(ports: Ports, person: Person, options: SessionOptions, random: Random) {
    this.name = `MQTT session ${options.clientId}`;
    this.#ports = ports;
    this.#person = person;
    this.#options = options;
    this.#random = random;
  }

  /** Resolves when it has subscribed. */
  static async open(ports: Ports, person: Person, options: SessionOptions, random: Random): Promise<SessionReader> {
    const reader = new SessionReader(ports, person, options, random);
    await reader.#use(await RawMqtt.open(ports[0] as number, options.version), true);
    void reader.#stay();
    return reader;
  }

  /** Breaks its connection: the node lives on, and it comes back to any. */
  cutOff(): void {
    this.#device?.socket.destroy();
  }

  close(): void {
    this.#closed = true;
    this.cutOff();
  }

  async #stay(): Promise<void> {
    for (;;) {
      await this.#device?.closed;
      if (this.#closed) return;
      const device = await RawMqtt.open(this.#random.pick(this.#ports), this.#options.version).catch(() => undefined);
      if (device) await this.#use(device, false);
      else await later(20);
    }
  }

  /** Resolves when it is let in, or is not. */
  async #use(device: RawMqtt, isFirst: boolean): Promise<void> {
    const { version, clientId, window, filter } = this.#options;
    const { token, user } = this.#person;
    const properties = version === 5 ? { properties: { sessionExpiryInterval: 3600, receiveMaximum: window } } : {};
    const session: Session = { first: true, waiting: [] };
    const open = new Promise<void>((resolve) => {
      device.packets.onItem((packet) => {
        if (packet.cmd === "connack" && (packet.reasonCode ?? packet.returnCode) === 0 && packet.sessionPresent === isFirst)
          this.wrong.push("the session was not there");
        if (packet.cmd === (isFirst ? "suback" : "connack")) resolve();
        if (packet.cmd === "publish") this.#take(device, session, packet);
      });
    });
    const password = Buffer.from(token);
    device.send({ cmd: "connect", protocolVersion: version, clientId, clean: false, username: user.username, password, ...properties });
    if (isFirst) device.send({ cmd: "subscribe", messageId: 1, subscriptions: [{ topic: filter, qos: 1 }] });
    this.#device = device;
    void device.closed.then(() => (this.#brokeAt = performance.now()));
    await Promise.race([open, device.closed]);
  }

  #take(device: RawMqtt, session: Session, { payload, messageId = 0, dup }: IPublishPacket): void {
    const event = fromJsonString(EventSchema, payload.toString());
    const { seq } = event;
    if (seq === 0) return;
    const highest = this.heard.items.at(-1)?.seq ?? seq - 1;
    if (!session.first && seq !== this.#last + 1) this.wrong.push(`${seq} after ${this.#last} on one connection`);
    if (seq > highest + 1) this.wrong.push(`${seq} after ${highest}`);
    if (seq <= highest) this.#repeated(seq, dup);
    else this.heard.put(event);
    session.first = false;
    this.#last = seq;
    this.#acknowledge(device, session, seq, messageId);
  }

  #repeated(seq: number, dup: boolean): void {
    this.repeats++;
    if (!dup) this.wrong.push(`${seq} again without DUP`);
    const before = this.#brokeAt - (this.#acknowledgedAt.get(seq) ?? this.#brokeAt);
    if (before > storedWithinMs) this.wrong.push(`${seq} again, ${Math.round(before)} ms after it was acknowledged`);
  }

  /** Some at once, some later, and some never: they break with the connection. */
  #acknowledge(device: RawMqtt, { waiting }: Session, seq: number, messageId: number): void {
    waiting.push({ seq, messageId });
    if (waiting.length < keptBack && this.#random.below(3) === 0) return;
    for (const one of waiting.splice(0)) {
      device.send({ cmd: "puback", messageId: one.messageId, ...(this.#options.version === 5 && { reasonCode: 0 }) });
      this.#acknowledgedAt.set(one.seq, performance.now());
    }
  }
}

/** One connection's part. */
interface Session {
  first: boolean;
  readonly waiting: { readonly seq: number; readonly messageId: number }[];
}

/** One of each version, one that takes few at a time, and one that follows all rooms. @throws AssertionError */
export async function openSessions(ports: Ports, person: Person, roomId: string, random: Random): Promise<SessionReader[]> {
  const open = (clientId: string, version: 4 | 5, window: number, filter: string): Promise<SessionReader> =>
    SessionReader.open(ports, person, { clientId, version, window, filter }, random.fork());
  return [
    await open("level 4", 4, 0, eventsOf(roomId)),
    await open("level 5", 5, 200, eventsOf(roomId)),
    await open("few at a time", 5, 10, eventsOf(roomId)),
    await open("every room", 5, 100, eventsOf("+")),
  ];
}

/** @throws AssertionError when a session broke a promise */
export function checkSessions(sessions: readonly SessionReader[]): void {
  for (const { name, wrong } of sessions) assert.deepEqual(wrong, [], name);
}
