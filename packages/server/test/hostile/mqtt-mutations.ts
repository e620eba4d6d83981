// Conversations of MQTT that are almost right: packets with a plausible value in each place, spoilt in their fields and their bytes.
import { type DescMessage, type Message, toBinary, toJsonString } from "@bufbuild/protobuf";
import {
  ListEventsRequestSchema,
  ListMessagesRequestSchema,
  MarkReadRequestSchema,
  SendMessageRequestSchema,
  SetPresenceRequestSchema,
} from "@parlor/contract";
import { generate, type IConnectPacket, type IPublishPacket, type Packet } from "mqtt-packet";
import type { Random } from "../support/random.ts";
import { type Known, Mutations } from "./mutations.ts";

const payloads: Readonly<Record<string, DescMessage>> = {
  send: SendMessageRequestSchema,
  read: MarkReadRequestSchema,
  history: ListMessagesRequestSchema,
  log: ListEventsRequestSchema,
  presence: SetPresenceRequestSchema,
};
const oddTopics = [
  "",
  "#",
  "+",
  "a/#/b",
  "$SYS/broker",
  "\u0000",
  "\ufffd",
  "parlor/v1/rooms//send",
  "x".repeat(300),
  "parlor/v1/me/errors",
];
const oddFilters = ["#", "+/+", "parlor/#", "$share//x", "$share/g/#", "$share/a+/b", "$SYS/#", "", "//", "x".repeat(65_000)];
const contentTypes = ["application/json", "text/plain", "application/protobuf", "image/png", "", "\ufffd"];
const packetIds = [1, 2, 3, 65_535, ...Array.from({ length: 30 }, (_, i) => 100 + i)];
const replies = ["parlor/v1/me/replies", "parlor/v1/me/replies/1", "#", "", "parlor/v1/me/errors"];
/** Packets that no client sends, or not at this point. */
const misplaced: readonly Packet[] = [
  { cmd: "pingresp" },
  { cmd: "pubrel", messageId: 1 },
  { cmd: "pubrec", messageId: 1 },
  { cmd: "pubcomp", messageId: 1 },
  { cmd: "auth", reasonCode: 0x18 },
  { cmd: "suback", messageId: 1, granted: [0] },
  { cmd: "connack", returnCode: 0, reasonCode: 0, sessionPresent: false },
];

export class MqttMutations {
  readonly version: 4 | 5;
  readonly random: Random;
  readonly #known: Known;
  readonly #mutations: Mutations;

  constructor(random: Random, known: Known) {
    this.version = random.pick([4, 5]);
    this.random = random;
    this.#known = known;
    this.#mutations = new Mutations(random.fork(), known);
  }

  /** The first bytes: mostly a good CONNECT. */
  opening(): Buffer {
    if (this.#rarely(40)) return this.#garbage(this.random.below(200));
    return this.#mutations.bytes(this.#bytes(this.#connect()), 12);
  }

  /** What follows: a packet other than a ping, by whose answer it is seen that all before was read; or something that is none. */
  packet(): Buffer {
    if (this.#rarely(400)) return this.#garbage(1 + this.random.below(300));
    return this.#mutations.bytes(this.#bytes(this.#anyPacket()), 50);
  }

  #anyPacket(): Packet {
    const kind = this.random.below(40);
    if (kind < 20) return this.#publish();
    if (kind < 28) return this.#subscribe();
    if (kind < 31) return { cmd: "unsubscribe", messageId: this.#id(), unsubscriptions: [this.#filter(), this.#filter()] };
    if (kind < 36)
      return { cmd: "puback", messageId: this.#id(), ...(this.version === 5 && { reasonCode: this.random.pick([0, 0x10, 0x97]) }) };
    if (this.#rarely(8)) return { cmd: "disconnect", ...this.#properties({ sessionExpiryInterval: this.random.pick([0, 60]) }) };
    return this.#rarely(12) ? this.random.pick([...misplaced, this.#connect()]) : this.#publish();
  }

  #connect(): IConnectPacket {
    const will = {
      topic: this.#rarely(10) ? this.random.pick(oddTopics) : "parlor/v1/me/presence",
      payload: Buffer.from("OFFLINE"),
      qos: 1 as const,
    };
    return {
      cmd: "connect",
      protocolVersion: this.version,
      clientId: this.#rarely(30) ? this.random.pick(["", "\ufffd", "x".repeat(200)]) : `device ${this.random.below(40)}`,
      clean: this.version === 4 || this.random.below(2) === 0,
      keepalive: this.random.pick([0, 1, 60, 65_535]),
      username: this.#rarely(30) ? "\ufffd" : this.#known.username,
      password: Buffer.from(this.#rarely(30) ? "x" : this.#known.token),
      ...(this.#rarely(6) && { will }),
      ...this.#properties({
        sessionExpiryInterval: this.random.pick([0, 1, 3600, 0xffff_ffff]),
        receiveMaximum: this.random.pick([1, 2, 100, 65_535]),
        maximumPacketSize: this.random.pick([10, 100, 65_536, 65_536, 65_536]),
        topicAliasMaximum: this.random.pick([0, 10]),
        requestResponseInformation: this.random.below(2) === 0,
        userProperties: { format: this.random.pick(["json", "protobuf", "\ufffd"]) },
      }),
    };
  }

  #publish(): IPublishPacket {
    const kind = this.random.pick([...Object.keys(payloads), "send", "send", "typing"]);
    const qos = this.#rarely(100) ? 2 : this.random.pick([0, 1, 1] as const);
    return {
      cmd: "publish",
      topic: this.#rarely(30) ? this.random.pick(oddTopics) : topicOf(kind, this.#room()),
      payload: this.#mutations.bytes(this.#payload(payloads[kind]), 8),
      qos,
      messageId: this.#id(),
      dup: qos > 0 && this.#rarely(4),
      retain: this.#rarely(200),
      ...this.#properties({
        contentType: this.random.pick(contentTypes),
        responseTopic: this.random.pick(replies),
        correlationData: Buffer.alloc(this.random.pick([0, 1, 100])),
        topicAlias: this.#rarely(40) ? this.random.pick([0, 17]) : 1 + this.random.below(2),
        messageExpiryInterval: 1,
        payloadFormatIndicator: this.random.below(2) === 0,
        userProperties: { client_message_id: this.random.pick(["", "k1", "k2", "x".repeat(65)]) },
      }),
    };
  }

  #subscribe(): Packet {
    const filters = Array.from({ length: this.#rarely(60) ? 101 : this.random.pick([1, 1, 2, 5]) }, () => this.#filter());
    const subscriptions = filters.map((topic) => ({
      topic,
      qos: this.random.pick([0, 1, 2] as const),
      nl: this.#rarely(20),
      rap: this.#rarely(3),
      rh: this.random.below(3),
    }));
    const asked = {
      userProperties: { format: this.random.pick(["json", "protobuf"]) },
      ...(this.#rarely(40) && { subscriptionIdentifier: 7 }),
    };
    return { cmd: "subscribe", messageId: this.#id(), subscriptions, ...this.#properties(asked) };
  }

  #filter(): string {
    if (this.#rarely(20)) return this.random.pick(oddFilters);
    const room = this.random.pick(["+", this.#room()]);
    const all = ["events", "typing"].map((kind) => topicOf(kind, room));
    return this.random.pick([...all, `$share/g/${all[0]}`, "parlor/v1/me/presence", "parlor/v1/me/replies/#", "parlor/v1/me/errors"]);
  }

  /** Each of these, or not. */
  #properties<T extends object>(all: T): { properties?: Partial<T> } {
    if (this.version === 4) return {};
    return { properties: Object.fromEntries(Object.entries(all).filter(() => this.#rarely(3))) as Partial<T> };
  }

  #payload(schema: DescMessage | undefined): Buffer<ArrayBuffer> {
    if (!schema) return Buffer.alloc(0);
    const message = this.#mutations.message(schema);
    return this.random.pick([
      () => json(schema, message),
      () => json(schema, message),
      () => binary(schema, message),
      () => Buffer.from("hello"),
    ])();
  }

  #room(): string {
    return this.random.pick(this.#known.ids);
  }

  #id(): number {
    return this.#rarely(200) ? 0 : this.random.pick(packetIds);
  }

  #garbage(bytes: number): Buffer<ArrayBuffer> {
    return Buffer.from(Array.from({ length: bytes }, () => this.random.below(256)));
  }

  #rarely(every: number): boolean {
    return this.random.below(every) === 0;
  }

  /** What the library will not write is written by hand: any content behind any header. */
  #bytes(packet: Packet): Buffer<ArrayBuffer> {
    try {
      return Buffer.from(generate(packet, { protocolVersion: this.version }));
    } catch {
      const content = this.#garbage(this.random.below(60));
      return Buffer.concat([Buffer.of(this.random.below(16) << 4, content.length), content]);
    }
  }
}

function topicOf(kind: string, room: string): string {
  return kind === "presence" ? "parlor/v1/me/presence" : `parlor/v1/rooms/${room}/${kind}`;
}

/** JSON, whether or not protobuf's own writer takes it. */
function json(schema: DescMessage, message: Message): Buffer<ArrayBuffer> {
  try {
    return Buffer.from(toJsonString(schema, message as never));
  } catch {
    return Buffer.from(`{"text": "\\ud800"}`);
  }
}

function binary(schema: DescMessage, message: Message): Buffer<ArrayBuffer> {
  return Buffer.from(toBinary(schema, message as never));
}
