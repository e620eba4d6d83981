import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { ParlorClient } from "@parlor/client";
import { GoodbyeSchema, ServerFrameSchema } from "@parlor/contract";
import { generate, type IConnectPacket, type Packet } from "mqtt-packet";
import { noLog } from "../../src/ports/log.ts";
import type { Realtime } from "../../src/realtime/connection.ts";
import type { DurableSessions } from "../../src/realtime/durable-session.ts";
import { serveMqtt } from "../../src/transports/mqtt/server.ts";
import { SharedGroups } from "../../src/transports/mqtt/shared-groups.ts";
import type { MqttDoor } from "../../src/transports/protocols.ts";
import { engines } from "../support/databases.ts";
import { eventsOf, sendTo } from "../support/mqtt-device.ts";
import { RawMqtt } from "../support/mqtt-raw.ts";
import { password, type Running, running } from "../support/running.ts";
import { FakeApi, rig } from "./rig.ts";

const [engine] = engines;
const v = (...bytes: number[]): Buffer => Buffer.from(bytes);
const uuid = "018f0000-0000-7000-8000-000000000001";

/** Each session ends with its connection. */
const transientSessions: DurableSessions = {
  claim: async () => {
    const done = async (): Promise<void> => undefined;
    return { stored: undefined, expirySeconds: 0, subscribed: done, unsubscribed: done, leave: done, moved() {} };
  },
};

/** A door to a hub that lets everyone in, and never answers. */
function stuckDoor(): MqttDoor {
  const realtime: Realtime = {
    open: (sink) => ({
      receive: ({ kind }) => kind.case === "hello" && sink.write(sink.encode(create(ServerFrameSchema, { welcome: {} }))),
      reject: (reason, error) => sink.end(create(GoodbyeSchema, { reason, error: error.toWire() })),
      refuse() {},
      alive() {},
      offlineAfter() {},
      interestChanged() {},
      closed() {},
      position: () => undefined,
      rooms: () => [],
    }),
  };
  return serveMqtt({
    api: new FakeApi(),
    realtime,
    sessions: transientSessions,
    groups: new SharedGroups(undefined, Date.now),
    maxBytes: 65_536,
    log: noLog,
  });
}

/** A string as MQTT writes it, from bytes that need not be UTF-8. */
const raw = (bytes: Buffer | string): Buffer => {
  const content = Buffer.from(bytes as string);
  return Buffer.concat([v(content.length >> 8, content.length & 0xff), content]);
};

/** A packet with this content, whatever it is. */
function packet(first: number, ...parts: Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const length: number[] = [];
  for (let rest = content.length; ; rest >>>= 7) {
    length.push(rest > 0x7f ? (rest & 0x7f) | 0x80 : rest);
    if (rest <= 0x7f) break;
  }
  return Buffer.concat([v(first, ...length), content]);
}

describe("MQTT: bad input", () => {
  let server: Running;
  let ada: ParlorClient;
  let roomId: string;
  before(async () => {
    server = await running(engine as NonNullable<typeof engine>, { PARLOR_HELLO_TIMEOUT: "500ms" });
    ada = new ParlorClient({ url: server.url });
    await ada.signUp({ username: "ada", password });
    roomId = (await ada.rooms.createRoom({ name: "Lab" })).room?.id ?? "";
  });
  after(async () => {
    assert.deepEqual(server.faults, []);
    ada.close();
    await server[Symbol.asyncDispose]();
  });

  const connectPacket = (more: Partial<IConnectPacket> = {}): IConnectPacket => ({
    cmd: "connect",
    protocolVersion: 5,
    clientId: "",
    clean: true,
    username: "ada",
    password: Buffer.from(ada.tokens?.accessToken ?? ""),
    ...more,
  });
  const open = async (version: 4 | 5 = 5, more: Partial<IConnectPacket> = {}): Promise<RawMqtt> => {
    const device = await RawMqtt.open(server.port, version);
    device.send(connectPacket({ protocolVersion: version, ...more }));
    const connack = await device.find("connack");
    assert.equal(connack.reasonCode ?? connack.returnCode, 0);
    return device;
  };
  /** Sends bytes at the very beginning. */
  const begin = async (bytes: Buffer, version: 4 | 5 = 5): Promise<RawMqtt> => {
    const device = await RawMqtt.open(server.port, version);
    device.socket.write(bytes);
    return device;
  };
  /** What a CONNECT is answered, after which the connection is closed; undefined for no answer. */
  const refusal = async (bytes: Buffer, version: 4 | 5 = 5): Promise<number | undefined> => {
    await using device = await begin(bytes, version);
    await device.closed;
    const [first] = device.packets.items;
    return first?.cmd === "connack" ? (first.reasonCode ?? first.returnCode) : undefined;
  };
  const refused = (more: Partial<IConnectPacket>): Promise<number | undefined> =>
    refusal(generate(connectPacket(more), { protocolVersion: 5 }));
  /** With which code an open connection ends after these bytes: version 5 says it. */
  const ended = async (bytes: Buffer | Packet): Promise<number | undefined> => {
    await using device = await open();
    device.socket.write(Buffer.isBuffer(bytes) ? bytes : generate(bytes, { protocolVersion: 5 }));
    await device.closed;
    const last = device.packets.items.at(-1);
    return last?.cmd === "disconnect" ? last.reasonCode : undefined;
  };
  /** With which code a PUBLISH is acknowledged. */
  const acknowledged = async (topic: string, payload: string | Buffer, properties = {}): Promise<number | undefined> => {
    await using device = await open();
    device.send({ cmd: "publish", topic, payload, qos: 1, messageId: 7, dup: false, retain: false, properties });
    return (await device.find("puback")).reasonCode;
  };
  const granted = async (...filters: string[]): Promise<readonly unknown[]> => {
    await using device = await open();
    device.send({ cmd: "subscribe", messageId: 3, subscriptions: filters.map((topic) => ({ topic, qos: 1 as const })) });
    return (await device.find("suback")).granted;
  };

  describe("before CONNECT is accepted", () => {
    test("another packet first, or another protocol, is not answered", async () => {
      // The other types of packet do not begin like MQTT, and are HTTP's.
      assert.equal(await refusal(packet(0x10, raw("MQTX"), v(5, 2, 0, 10, 0), raw(""))), undefined);
      assert.equal(await refusal(packet(0x10)), undefined);
      assert.equal(await refusal(packet(0x10, v(0xff, 0xff, 0x4d))), undefined);
    });

    test("a length of five bytes, or of 256 MiB, is closed without being read", async () => {
      const before = process.memoryUsage().rss;
      assert.equal(await refusal(v(0x10, 0xff, 0xff, 0xff, 0xff, 0x01)), undefined);
      assert.equal(await refusal(v(0x10, 0xff, 0xff, 0xff, 0x7f)), undefined);
      assert.equal(await refusal(Buffer.concat([v(0x10, 0x81, 0x80, 0x01), Buffer.alloc(16 * 1024)])), undefined);
      assert.ok(process.memoryUsage().rss - before < 50e6);
    });

    test("silence, and one byte now and then, end with the time for a CONNECT", async () => {
      await using device = await begin(v(0x10));
      await device.closed;
      await using drop = await begin(v(0x10, 30, 0));
      const drip = setInterval(() => drop.socket.write(v(4)), 100);
      await drop.closed;
      clearInterval(drip);
      assert.deepEqual(drop.packets.items, []);
    });

    test("levels other than 3.1.1 and 5 are told so", async () => {
      assert.equal(await refusal(packet(0x10, raw("MQTT"), v(6, 2, 0, 10, 0), raw(""))), 0x84);
      assert.equal(await refusal(packet(0x10, raw("MQTT"), v(3, 2, 0, 10), raw("")), 4), 1);
      assert.equal(await refusal(packet(0x10, raw("MQIsdp"), v(3, 2, 0, 10), raw("x")), 4), 1);
    });

    test("the reserved flag, and a will's flags without a will, are malformed", async () => {
      assert.equal(await refusal(packet(0x10, raw("MQTT"), v(5, 3, 0, 10, 0), raw("x"))), 0x81);
      assert.equal(await refusal(packet(0x10, raw("MQTT"), v(5, 0x22, 0, 10, 0), raw("x"))), 0x81);
      assert.equal(await refusal(packet(0x10, raw("MQTT"), v(5, 0x0a, 0, 10, 0), raw("x"))), 0x81);
      assert.equal(await refusal(packet(0x10, raw("MQTT"), v(4, 3, 0, 10), raw("x")), 4), undefined);
    });

    test("a client id with NUL, with C0 AF, of a surrogate or cut off is malformed; one too long is refused", async () => {
      for (const id of [v(0x61, 0), v(0xc0, 0xaf), v(0xed, 0xa0, 0x80), v(0xe2, 0x82)]) {
        assert.equal(await refusal(packet(0x10, raw("MQTT"), v(5, 2, 0, 10, 0), raw(id))), 0x81);
      }
      assert.equal(await refusal(packet(0x10, raw("MQTT"), v(5, 2, 0, 10, 0), v(0, 9, 0x61))), 0x81);
      assert.equal(await refused({ clientId: "x".repeat(129) }), 0x85);
      // U+FFFD itself is a character like any other.
      await using odd = await open(5, { clientId: "\ufffd" });
      assert.equal(odd.packets.items.length, 1);
    });

    test("MQTT 3.1.1: a kept session needs a client id, a password a user name", async () => {
      assert.equal(await refusal(packet(0x10, raw("MQTT"), v(4, 0, 0, 10), raw("")), 4), 2);
      assert.equal(await refusal(packet(0x10, raw("MQTT"), v(4, 0x42, 0, 10), raw(""), raw("x")), 4), undefined);
    });

    test("properties twice, cut off, unknown or of a value that may not be", async () => {
      const connect = (...properties: number[]): Buffer =>
        packet(0x10, raw("MQTT"), v(5, 2, 0, 10, properties.length, ...properties), raw("x"));
      assert.equal(await refusal(connect(0x21, 0, 9, 0x21, 0, 9)), 0x82);
      assert.equal(await refusal(connect(0x21, 0, 0)), 0x82);
      assert.equal(await refusal(connect(0x27, 0, 0, 0, 0)), 0x82);
      assert.equal(await refusal(connect(0x7f, 0)), 0x81);
      assert.equal(await refusal(packet(0x10, raw("MQTT"), v(5, 2, 0, 10, 9, 0x26, 0, 9, 0x61))), 0x81);
      assert.equal(await refused({ properties: { authenticationMethod: "SCRAM" } }), 0x8c);
    });

    test("a password that is none, a log-in, another's token", async () => {
      assert.equal(await refused({ password: Buffer.from(password) }), 0x86);
      assert.equal(await refused({ password: Buffer.alloc(0) }), 0x86);
      assert.equal(await refused({ username: "bob" }), 0x86);
      const { username: _, password: __, ...nobody } = connectPacket();
      assert.equal(await refusal(generate(nobody, { protocolVersion: 5 })), 0x86);
    });

    test("a will to a foreign topic, over-large, retained, or of another word", async () => {
      const will = (topic: string, payload: string, more = {}): Promise<number | undefined> =>
        refused({ will: { topic, payload: Buffer.from(payload), ...more } });
      assert.equal(await will(sendTo(roomId), "he is dead"), 0x90);
      assert.equal(await will("parlor/v1/me/presence", "x".repeat(300)), 0x95);
      // More than is read of somebody unknown.
      assert.equal(await will("parlor/v1/me/presence", "x".repeat(60_000)), undefined);
      assert.equal(await will("parlor/v1/me/presence", "OFFLINE", { retain: true }), 0x9a);
      assert.equal(await will("parlor/v1/me/presence", "ONLINE"), 0x99);
      await using device = await open(5, { will: { topic: "parlor/v1/me/presence", payload: Buffer.from("OFFLINE") } });
      assert.equal(device.packets.items.length, 1);
    });

    test("who says everything at once and hangs up has said it", async () => {
      const texts = Array.from({ length: 10 }, (_, number) => `on my way out ${number}`);
      for (const text of texts) {
        const packets: Packet[] = [
          connectPacket({ clientId: "hasty" }),
          { cmd: "publish", topic: sendTo(roomId), payload: text, qos: 0, dup: false, retain: false },
          { cmd: "disconnect" },
        ];
        const device = await RawMqtt.open(server.port);
        device.socket.end(Buffer.concat(packets.map((packet) => generate(packet, { protocolVersion: 5 }))));
        await device.closed;
      }
      // The last one may still be on its way into the log; what is sent after it is behind it there.
      await ada.messages.sendMessage({ roomId, text: "all gone?", clientMessageId: "after them" });
      const { messages } = await ada.messages.listMessages({ roomId, pageSize: 50 });
      assert.deepEqual(
        messages.map(({ text }) => text).filter((text) => text.startsWith("on my way")),
        texts,
      );
    });

    test("packets that come before the CONNACK are taken after it", async () => {
      const device = await RawMqtt.open(server.port);
      device.socket.write(
        Buffer.concat([
          generate(connectPacket(), { protocolVersion: 5 }),
          generate({ cmd: "subscribe", messageId: 1, subscriptions: [{ topic: eventsOf(roomId), qos: 1 }] }, { protocolVersion: 5 }),
          generate({ cmd: "pingreq" }),
        ]),
      );
      await device.find("pingresp");
      assert.deepEqual(
        device.packets.items.map(({ cmd }) => cmd),
        ["connack", "suback", "pingresp"],
      );
      await device[Symbol.asyncDispose]();
    });
  });

  describe("on an open connection", () => {
    test("a second CONNECT, and packets that are not a client's, end it", async () => {
      assert.equal(await ended(connectPacket()), 0x82);
      assert.equal(await ended({ cmd: "pingresp" }), 0x82);
      assert.equal(await ended({ cmd: "suback", messageId: 1, granted: [0] }), 0x82);
      assert.equal(await ended({ cmd: "pubrec", messageId: 1 }), 0x82);
      assert.equal(await ended({ cmd: "pubcomp", messageId: 1 }), 0x82);
      assert.equal(await ended({ cmd: "auth", reasonCode: 0 }), 0x82);
      assert.equal(await ended(v(0x00, 0)), 0x81);
    });

    test("reserved flags, QoS 3, DUP with QoS 0 and identifier 0", async () => {
      assert.equal(await ended(packet(0x80, v(0, 1, 0), raw("x"), v(0))), 0x81);
      assert.equal(await ended(packet(0xc1)), 0x81);
      assert.equal(await ended(packet(0xc0, v(1))), 0x81);
      assert.equal(await ended(packet(0x36, raw(sendTo(roomId)), v(0, 1, 0))), 0x81);
      assert.equal(await ended(packet(0x38, raw(sendTo(roomId)), v(0))), 0x81);
      assert.equal(await ended(packet(0x32, raw(sendTo(roomId)), v(0, 0, 0))), 0x82);
      assert.equal(await ended(packet(0x82, v(0, 0, 0), raw("x"), v(0))), 0x82);
      assert.equal(await ended(packet(0xa2, v(0, 1, 0))), 0x82);
      assert.equal(await ended(packet(0x82, v(0, 1, 0))), 0x82);
      assert.equal(await ended(packet(0x82, v(0, 1, 0), raw("x"), v(3))), 0x81);
      assert.equal(await ended(packet(0x40, v(0))), 0x82);
      assert.equal(await ended(packet(0x34, raw(sendTo(roomId)), v(0, 0, 0))), 0x82);
      assert.equal(await ended(packet(0x60, v(0, 1))), 0x81);
      assert.equal(await ended(packet(0x62, v(0, 0))), 0x82);
    });

    test("retained", async () => {
      const publish = { cmd: "publish", topic: sendTo(roomId), payload: "x", messageId: 1, dup: false } as const;
      assert.equal(await ended({ ...publish, qos: 1, retain: true }), 0x9a);
    });

    test("more publications under way than were granted", async () => {
      await using stuck = await rig({ mqtt: stuckDoor() });
      await using device = await RawMqtt.open(stuck.port);
      device.send(connectPacket({ password: Buffer.from("good") }));
      const connack = await device.find("connack");
      assert.equal(connack.properties?.receiveMaximum, 256);
      for (let i = 1; i <= 257; i++)
        device.send({ cmd: "publish", topic: sendTo(uuid), payload: "x", qos: 1, messageId: i, dup: false, retain: false });
      assert.equal((await device.find("disconnect")).reasonCode, 0x93);
    });

    test("topics that are empty, have wildcards, NUL, a surrogate, 64 KB, or are not there", async () => {
      const to = (topic: Buffer | string): Promise<number | undefined> => ended(packet(0x32, raw(topic), v(0, 1, 0), Buffer.from("x")));
      assert.equal(await to(""), 0x81);
      assert.equal(await to(`parlor/v1/rooms/+/send`), 0x90);
      assert.equal(await to("#"), 0x90);
      assert.equal(await to(v(0x61, 0)), 0x81);
      assert.equal(await to(v(0xed, 0xa0, 0x80)), 0x81);
      assert.equal(await to("x".repeat(65_535)), 0x95);
      for (const topic of ["x", "$SYS/broker", eventsOf(roomId), `parlor/v1/rooms/${uuid.toUpperCase()}/send`, "parlor/v1/me/errors"]) {
        assert.equal(await acknowledged(topic, "x"), 0x90, topic);
      }
    });

    test("topic aliases 0, beyond 16 and without a topic", async () => {
      const alias = (topic: string, number: number): Buffer =>
        packet(0x32, raw(topic), v(0, 1, 3, 0x23, number >> 8, number & 0xff), Buffer.from("x"));
      assert.equal(await ended(alias(sendTo(roomId), 0)), 0x94);
      assert.equal(await ended(alias(sendTo(roomId), 17)), 0x94);
      assert.equal(await ended(alias("", 3)), 0x82);
      await using device = await open();
      device.socket.write(alias(sendTo(roomId), 3));
      await device.find("puback");
      device.socket.write(packet(0x32, raw(""), v(0, 2, 3, 0x23, 0, 3), Buffer.from("by alias")));
      await device.packets.until((items) => items.filter(({ cmd }) => cmd === "puback").length === 2);
    });

    test("a packet in two pieces, with another client's packet between them", async () => {
      await using slow = await open();
      await using quick = await open();
      const publish = (payload: string): Buffer =>
        generate(
          { cmd: "publish", topic: sendTo(roomId), payload, qos: 1, messageId: 1, dup: false, retain: false },
          { protocolVersion: 5 },
        );
      const [whole, other] = [publish("a".repeat(900)), publish("b".repeat(900))];
      slow.socket.write(Buffer.concat([generate({ cmd: "pingreq" }), whole.subarray(0, 500)]));
      await slow.find("pingresp");
      quick.socket.write(other);
      await quick.find("puback");
      slow.socket.write(whole.subarray(500));
      await slow.find("puback");
      const { messages } = await ada.messages.listMessages({ roomId, pageSize: 2 });
      assert.deepEqual(messages.map(({ text }) => text).sort(), ["a".repeat(900), "b".repeat(900)]);
    });

    test("payloads that are not what they say", async () => {
      const json = { contentType: "application/json" };
      for (const text of [
        "",
        "null",
        "[]",
        '"x"',
        "123",
        '{"text":',
        '{"text":"a","text":"b"}',
        '{"text":1}',
        '{"role":"ADMIN","text":"x"}',
      ]) {
        assert.equal(await acknowledged(sendTo(roomId), text, json), 0x99, text);
      }
      assert.equal(await acknowledged(sendTo(roomId), `${"[".repeat(10_000)}`, json), 0x99);
      assert.equal(await acknowledged(sendTo(roomId), JSON.stringify({ text: "x", roomId: uuid }), json), 0x99);
      assert.equal(await acknowledged(sendTo(roomId), v(0xc3, 0x28)), 0x99);
      assert.equal(await acknowledged(sendTo(roomId), "\u200b\u200b"), 0x99);
      assert.equal(await acknowledged(sendTo(roomId), "x".repeat(8001)), 0x99);
      assert.equal(await acknowledged(sendTo(roomId), v(0xff, 0xff), { contentType: "application/protobuf" }), 0x99);
      assert.equal(await acknowledged(sendTo(roomId), "x", { contentType: "image/png" }), 0x99);
      assert.equal(await acknowledged(sendTo(uuid), "x"), 0x87);
      assert.equal(await acknowledged("parlor/v1/me/presence", "ASLEEP"), 0x99);
      assert.equal(await acknowledged(sendTo(roomId), "x", { responseTopic: sendTo(roomId) }), 0x90);
      assert.equal(await acknowledged(sendTo(roomId), "{not JSON, a text}"), 0);
    });

    test("a length of five bytes, and filters that are not UTF-8 or of 64 KB", async () => {
      assert.equal(await ended(v(0x30, 0xff, 0xff, 0xff, 0xff, 0x01)), 0x81);
      const subscribe = (filter: Buffer | string): Buffer => packet(0x82, v(0, 1, 0), raw(filter), v(0));
      for (const filter of [v(0xc0, 0xaf), v(0x61, 0), v(0xed, 0xa0, 0x80)]) assert.equal(await ended(subscribe(filter)), 0x81);
      assert.equal(await ended(subscribe("x".repeat(65_535))), 0x95);
    });

    test("a packet over the limit ends it with 0x95, whatever follows", async () => {
      assert.equal(await ended(Buffer.concat([v(0x32, 0x81, 0x80, 0x04), Buffer.alloc(70_000)])), 0x95);
    });

    test("filters beyond one's rooms are refused, and say nothing of rooms that one may not read", async () => {
      const refusedFilters = [
        "#",
        "+",
        "a/#/b",
        "parlor/#",
        "parlor/v1/rooms/#",
        "$SYS/#",
        `${eventsOf(roomId)}/#`,
        "",
        "x".repeat(300),
        "+/v1/rooms/x",
      ];
      assert.deepEqual(
        await granted(...refusedFilters),
        refusedFilters.map(() => 0x8f),
      );
      assert.deepEqual(await granted("$share//x", `$share/g/${eventsOf(uuid)}`, eventsOf(uuid)), [0x8f, 0x87, 0x87]);
      assert.deepEqual(await granted(eventsOf(roomId), "parlor/v1/rooms/+/typing"), [1, 0]);
    });

    test("thousands of strings with U+FFFD, each of which would have to be looked for, are malformed", async () => {
      const userProperties = Object.fromEntries(Array.from({ length: 4000 }, (_, i) => [`\ufffd${i}`, "a"]));
      const publish = { cmd: "publish", topic: "parlor/v1/me/presence", payload: "ONLINE", qos: 0, dup: false, retain: false } as const;
      assert.equal(await ended({ ...publish, properties: { userProperties } }), 0x81);
      assert.equal(await acknowledged(sendTo(roomId), "x", { userProperties: { "\ufffd": "\ufffd" } }), 0);
    });

    test("a filter that matches no more than it says may have 256 characters", async () => {
      const level = `/${"x".repeat(110)}`;
      assert.deepEqual(await granted(`parlor/v1/me/replies${level.repeat(2)}`, `parlor/v1/me/replies${level.repeat(3)}`), [0, 0x8f]);
    });

    test("subscriptions one by one, a hundred and more, are slowed down and all carried out", async () => {
      await using device = await open();
      for (let i = 0; i < 120; i++)
        device.send({ cmd: "subscribe", messageId: i + 1, subscriptions: [{ topic: `parlor/v1/me/replies/${i}`, qos: 0 }] });
      await device.packets.until(({ length }) => length === 121);
    });

    test("100 filters a SUBSCRIBE, 1,000 a session", async () => {
      const filters = (count: number, from = 0) =>
        Array.from({ length: count }, (_, i) => ({ topic: `parlor/v1/me/replies/${from + i}`, qos: 0 as const }));
      assert.equal(await ended({ cmd: "subscribe", messageId: 1, subscriptions: filters(101) }), 0x97);
      await using device = await open();
      for (let i = 0; i < 100; i++) device.send({ cmd: "subscribe", messageId: i + 1, subscriptions: filters(100, i * 100) });
      await device.packets.until(({ length }) => length === 101);
      const codes = device.packets.items.flatMap((one) => (one.cmd === "suback" ? (one.granted as number[]) : []));
      assert.deepEqual([codes.filter((code) => code === 0).length, codes.filter((code) => code === 0x97).length], [1000, 9000]);
    });

    test("MQTT 3.1.1: a refused message is acknowledged, and the error told to me/errors", async () => {
      await using device = await open(4);
      device.send({ cmd: "subscribe", messageId: 1, subscriptions: [{ topic: "parlor/v1/me/errors", qos: 1 }] });
      device.send({ cmd: "publish", topic: sendTo(uuid), payload: "x", qos: 1, messageId: 7, dup: false, retain: false });
      await device.find("puback");
      const [told] = device.published;
      assert.equal(JSON.parse(String(told?.payload)).error.reason, "NOT_EXISTING");
    });

    test("keep alive is one and a half times what the client said", async () => {
      await using device = await open(5, { keepalive: 1 });
      const started = performance.now();
      await device.closed;
      const last = device.packets.items.at(-1);
      assert.equal(last?.cmd === "disconnect" && last.reasonCode, 0x8d);
      assert.ok(performance.now() - started > 1400);
    });

    test("a client that vanishes without a word ends in the same time, and its will counts", async () => {
      const carol = new ParlorClient({ url: server.url });
      const { id } = await carol.signUp({ username: "carol", password });
      await ada.rooms.createRoom({ name: "Both", memberIds: [id] });
      await using watcher = await open();
      watcher.send({ cmd: "subscribe", messageId: 1, subscriptions: [{ topic: "parlor/v1/me/presence", qos: 0 }] });
      await watcher.find("suback");
      const will = { topic: "parlor/v1/me/presence", payload: Buffer.from("OFFLINE") };
      await using lost = await open(5, {
        username: "carol",
        password: Buffer.from(carol.tokens?.accessToken ?? ""),
        keepalive: 1,
        will,
      });
      const since = performance.now();
      lost.socket.pause();
      const offline = `"userId":"${id}","status":"OFFLINE"`;
      await watcher.packets.until(() => watcher.published.some(({ payload }) => String(payload).includes(offline)));
      assert.ok(performance.now() - since > 1400);
      lost.socket.resume();
      await lost.closed;
      const last = lost.packets.items.at(-1);
      assert.equal(last?.cmd === "disconnect" && last.reasonCode, 0x8d);
      carol.close();
    });

    test("a flood of pings ends it, and a client that does not read its answers is not read", async () => {
      const pings = Buffer.concat(Array.from({ length: 20_000 }, () => generate({ cmd: "pingreq" })));
      assert.equal(await ended(pings), 0x96);
      await using device = await open();
      device.socket.pause();
      const before = process.memoryUsage().rss;
      const ask = generate(
        {
          cmd: "publish",
          topic: `parlor/v1/rooms/${roomId}/log`,
          payload: "",
          qos: 0,
          dup: false,
          retain: false,
          properties: { responseTopic: "parlor/v1/me/replies" },
        },
        { protocolVersion: 5 },
      );
      device.send({ cmd: "subscribe", messageId: 1, subscriptions: [{ topic: "parlor/v1/me/replies", qos: 0 }] });
      for (let i = 0; i < 20_000 && device.socket.write(ask); i++) await new Promise((resolve) => setImmediate(resolve));
      assert.ok(process.memoryUsage().rss - before < 100e6);
    });

    test("others are not disturbed", async () => {
      await using device = await open();
      device.send({ cmd: "subscribe", messageId: 1, subscriptions: [{ topic: eventsOf(roomId), qos: 0 }] });
      await device.find("suback");
      await ended(v(0x36, 0x02, 0, 0));
      await ada.messages.sendMessage({ roomId, text: "still here" });
      await device.packets.until(() => device.published.some(({ payload }) => String(payload).includes("still here")));
    });
  });
});
