import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ParlorClient } from "@parlor/client";
import { Room_Visibility } from "@parlor/contract";
import type { IClientOptions } from "mqtt";
import { generate, type IConnectPacket } from "mqtt-packet";
import type { Database } from "../../src/ports/database.ts";
import type { TestDatabase } from "../support/databases.ts";
import { connectDevice, type Device, eventsOf, sendTo, texts } from "../support/mqtt-device.ts";
import { RawMqtt } from "../support/mqtt-raw.ts";
import { onEveryEngine, password, type Running, running } from "../support/running.ts";

function happens({ client }: Device, event: "close" | "packetreceive"): Promise<void> {
  return new Promise((resolve) => void client.once(event, () => resolve()));
}

onEveryEngine("MQTT sessions", (engine) => {
  let server: Running;
  let database: Database;
  let ada: ParlorClient;
  let bob: ParlorClient;
  let roomId: string;
  let bobId: string;
  const freshDatabase = async (): Promise<TestDatabase> => {
    const opened = await engine.fresh();
    database = opened.database;
    return opened;
  };
  before(async () => {
    server = await running({ ...engine, fresh: freshDatabase });
    ada = new ParlorClient({ url: server.url });
    bob = new ParlorClient({ url: server.url });
    await ada.signUp({ username: "ada", password });
    bobId = (await bob.signUp({ username: "bob", password })).id;
  });
  after(async () => {
    ada.close();
    bob.close();
    await server[Symbol.asyncDispose]();
  });
  const fresh = async (): Promise<void> => {
    roomId = (await ada.rooms.createRoom({ name: "Lab", visibility: Room_Visibility.PUBLIC })).room?.id ?? "";
  };
  const connect = (clientId: string, options: IClientOptions = {}, client = ada): Promise<Device> =>
    connectDevice(`mqtt://127.0.0.1:${server.port}`, {
      protocolVersion: 5,
      clean: false,
      clientId,
      password: client.tokens?.accessToken ?? "",
      username: client === ada ? "ada" : "bob",
      properties: { sessionExpiryInterval: 3600 },
      ...options,
    });
  const say = async (...words: string[]): Promise<void> => {
    for (const text of words) await ada.messages.sendMessage({ roomId, text });
  };
  const gone = async (device: Device): Promise<void> => {
    device.client.stream.destroy();
    await happens(device, "close");
  };

  for (const protocolVersion of [4, 5] as const) {
    test(`a session gets what it missed, in order, once (level ${protocolVersion})`, async () => {
      await fresh();
      const first = await connect(`thing${protocolVersion}`, { protocolVersion });
      assert.equal(first.connack.sessionPresent, false);
      await first.client.subscribeAsync(eventsOf(roomId), { qos: 1 });
      await say("one");
      await first.inbox.until(() => texts(first.inbox).length === 1);
      await first.client.endAsync();
      await say("two", "three");
      await using second = await connect(`thing${protocolVersion}`, { protocolVersion });
      assert.equal(second.connack.sessionPresent, true);
      await say("four");
      await second.inbox.until(() => texts(second.inbox).includes("four"));
      assert.deepEqual(texts(second.inbox), ["two", "three", "four"]);
    });
  }

  /** A client of this session that acknowledges nothing by itself. */
  const raw = async (clientId: string, properties: IConnectPacket["properties"] = {}, protocolVersion: 4 | 5 = 5): Promise<RawMqtt> => {
    const device = await RawMqtt.open(server.port, protocolVersion);
    const password = Buffer.from(ada.tokens?.accessToken ?? "");
    device.send({
      cmd: "connect",
      protocolVersion,
      clientId,
      clean: false,
      username: "ada",
      password,
      properties: { sessionExpiryInterval: 3600, ...properties },
    });
    await device.find("connack");
    return device;
  };
  const subscribe = async (device: RawMqtt): Promise<void> => {
    device.send({ cmd: "subscribe", messageId: 1, subscriptions: [{ topic: eventsOf(roomId), qos: 1 }] });
    await device.find("suback");
  };

  test("what was sent and not acknowledged comes again, with the same identifier and DUP", async () => {
    await fresh();
    const first = await raw("forgetful");
    await subscribe(first);
    await say("one", "two");
    await first.packets.until(() => first.published.length === 2);
    await first[Symbol.asyncDispose]();
    await using second = await raw("forgetful");
    await second.packets.until(() => second.published.length === 2);
    assert.deepEqual(
      second.published.map(({ messageId }) => messageId),
      first.published.map(({ messageId }) => messageId),
    );
    assert.deepEqual(
      second.published.map(({ dup }) => dup),
      [true, true],
    );
    await say("three");
    await second.packets.until(() => second.published.length === 3);
    assert.equal(second.published.at(-1)?.dup, false);
  });

  test("what a node that crashed may have sent comes again with DUP, also to the connection after the next", async () => {
    await fresh();
    const first = await raw("survivor");
    await subscribe(first);
    await say("one", "two", "three", "four");
    await first.packets.until(() => first.published.length === 4);
    await first[Symbol.asyncDispose]();
    // As a crash leaves it: nothing was stored of the connection's end, nor of what it was sent.
    const crash = "update mqtt_sessions set left_at = null where client_id = 'survivor' and left_at is not null";
    while ((await database.query(crash)).affected === 0);
    await database.query("update mqtt_cursors set sent_seq = acked_seq where client_id = 'survivor'");
    const second = await raw("survivor", { receiveMaximum: 2 });
    await second.packets.until(() => second.published.length === 2);
    await second[Symbol.asyncDispose]();
    await using third = await raw("survivor");
    await third.packets.until(() => third.published.length === 4);
    assert.deepEqual(
      [...second.published, ...third.published].map(({ dup }) => dup),
      Array.from({ length: 6 }, () => true),
    );
  });

  test("acknowledgements count wherever reads cut them, in any order, and beside other packets", async () => {
    await fresh();
    const first = await raw("chopper");
    await subscribe(first);
    await say("one", "two", "three", "four", "five");
    await first.packets.until(() => first.published.length === 5);
    const [one = 0, two = 0, three = 0] = first.published.map(({ messageId }) => messageId);
    const pubacks = (...ids: number[]): Buffer => Buffer.concat(ids.map((id) => Buffer.of(0x40, 2, id >> 8, id & 0xff)));
    const neverSent = 1 + ((two + 1000) % 0xffff);
    const bytes = Buffer.concat([pubacks(three, one, one, neverSent, two), generate({ cmd: "pingreq" })]);
    // The last of them comes in two reads.
    first.socket.write(bytes.subarray(0, 18));
    await say("six");
    await first.packets.until(() => first.published.length === 6);
    first.socket.write(bytes.subarray(18));
    await first.find("pingresp");
    await first[Symbol.asyncDispose]();
    await using second = await raw("chopper");
    await second.packets.until(() => second.published.length === 3);
    const left = second.published.map(({ payload }) => JSON.parse(String(payload)).messageSent.message.text);
    assert.deepEqual(left, ["four", "five", "six"]);
  });

  test("no more than its Receive Maximum is in flight, and the rest comes as it acknowledges", async () => {
    await fresh();
    await using slow = await raw("slow", { receiveMaximum: 3 });
    await subscribe(slow);
    const words = Array.from({ length: 20 }, (_, i) => `m${i}`);
    await say(...words);
    for (let i = 0; i < words.length; i++) {
      await slow.packets.until(() => slow.published.length > i);
      assert.ok(slow.published.length - i <= 3, `${slow.published.length - i} in flight`);
      slow.send({ cmd: "puback", messageId: slow.published[i]?.messageId as number, reasonCode: 0 });
    }
    const got = slow.published.map(({ payload }) => JSON.parse(payload.toString()).messageSent.message.text);
    assert.deepEqual(got, words);
  });

  for (const version of [4, 5] as const)
    test(`what is published with QoS 2 is stored once, until it is released (level ${version})`, async () => {
      await fresh();
      const open = async (): Promise<RawMqtt> => raw(`exact${version}`, {}, version);
      const publish = (device: RawMqtt, payload: string, dup = false, topic = sendTo(roomId)): void =>
        device.send({ cmd: "publish", topic, payload, qos: 2, messageId: 7, dup, retain: false });
      const release = (device: RawMqtt): void => device.send({ cmd: "pubrel", messageId: 7, reasonCode: 0 });
      const comes = (device: RawMqtt, cmd: "pubrec" | "pubcomp", count: number): Promise<void> =>
        device.packets.until((items) => items.filter((packet) => packet.cmd === cmd).length === count);

      const first = await open();
      publish(first, "a");
      await comes(first, "pubrec", 1);
      publish(first, "a", true);
      await comes(first, "pubrec", 2);
      release(first);
      release(first);
      await comes(first, "pubcomp", 2);
      publish(first, "b");
      await comes(first, "pubrec", 3);
      await first[Symbol.asyncDispose]();

      await using second = await open();
      publish(second, "b", true);
      await comes(second, "pubrec", 1);
      release(second);
      await comes(second, "pubcomp", 1);
      publish(second, "c", false, sendTo(bobId));
      await comes(second, "pubrec", 2);
      // With MQTT 5 it was refused, so that the identifier is free.
      if (version === 4) release(second);
      publish(second, "d");
      await comes(second, "pubrec", 3);
      const { messages } = await ada.messages.listMessages({ roomId });
      assert.deepEqual(messages.map(({ text }) => text).sort(), ["a", "b", "d"]);
      const codes = second.packets.items.flatMap((packet) => (packet.cmd === "pubrec" ? (packet.reasonCode ?? 0) : []));
      assert.deepEqual(codes, version === 5 ? [0, 0x87, 0] : [0, 0, 0]);
    });

  test("a room that it came into while it was away begins there", async () => {
    await fresh();
    const first = await connect("wide", {}, bob);
    await first.client.subscribeAsync("parlor/v1/rooms/+/events", { qos: 1 });
    await first.client.endAsync();
    await say("before bob came");
    await bob.rooms.joinRoom({ roomId });
    await say("for bob");
    await using second = await connect("wide", {}, bob);
    await second.inbox.until(() => texts(second.inbox).includes("for bob"));
    assert.deepEqual(texts(second.inbox), ["for bob"]);
  });

  test("a session in more than 1,000 rooms goes on, which no client could name in a hello", async () => {
    await fresh();
    const first = await connect("everywhere");
    await first.client.subscribeAsync("parlor/v1/rooms/+/events", { qos: 1 });
    await first.client.endAsync();
    await say("one more");
    // Rooms that it is not in any more are no different until they are looked for.
    await database.query(`insert into mqtt_cursors (user_id, client_id, room_id, acked_seq, sent_seq)
      select user_id, client_id, gen_random_uuid(), 1, 1 from mqtt_sessions, generate_series(1, 1001) where client_id = 'everywhere'`);
    await using second = await connect("everywhere");
    await second.inbox.until(() => texts(second.inbox).includes("one more"));
    assert.deepEqual(texts(second.inbox), ["one more"]);
  });

  test("a room that it was put out of while it was away brings nothing", async () => {
    await fresh();
    await bob.rooms.joinRoom({ roomId });
    const first = await connect("outcast", {}, bob);
    await first.client.subscribeAsync(eventsOf(roomId), { qos: 1 });
    await first.client.endAsync();
    await ada.rooms.removeMember({ roomId, userId: bobId });
    await say("without bob");
    await using second = await connect("outcast", {}, bob);
    assert.equal(second.connack.sessionPresent, true);
    await bob.rooms.joinRoom({ roomId });
    await say("with bob again");
    await second.inbox.until(() => texts(second.inbox).includes("with bob again"));
    assert.deepEqual(texts(second.inbox), ["with bob again"]);
  });

  test("a client id that is taken over ends the connection that had it; another user's does not", async () => {
    await fresh();
    const old = await connect("twin");
    const ended = new Promise<{ reasonCode?: number }>((resolve) => void old.client.once("disconnect", resolve));
    await using other = await connect("twin", {}, bob);
    assert.equal(other.connack.sessionPresent, false);
    assert.equal(old.client.connected, true);
    await using young = await connect("twin");
    assert.equal((await ended).reasonCode, 0x8e);
    assert.equal(young.connack.sessionPresent, true);
  });

  test("a clean start, an expiry of 0 and an UNSUBSCRIBE leave nothing", async () => {
    await fresh();
    const first = await connect("clean");
    await first.client.subscribeAsync(eventsOf(roomId), { qos: 1 });
    await first.client.unsubscribeAsync(eventsOf(roomId));
    await first.client.endAsync();
    const second = await connect("clean");
    assert.equal(second.connack.sessionPresent, true);
    await say("nobody listens");
    await second.client.endAsync();
    const third = await connect("clean", { clean: true, properties: { sessionExpiryInterval: 0 } });
    assert.equal(third.connack.sessionPresent, false);
    await third.client.endAsync();
    await using fourth = await connect("clean");
    assert.equal(fourth.connack.sessionPresent, false);
    assert.deepEqual(second.inbox.items, []);
  });

  test("a person has 100 sessions at most; those that are there go on", async () => {
    const carol = new ParlorClient({ url: server.url });
    await carol.signUp({ username: "carol", password });
    const as = { username: "carol" };
    for (let i = 0; i < 100; i++) await (await connect(`thing ${i}`, as, carol)).client.endAsync(true);
    for (let i = 0; i < 3; i++) await assert.rejects(connect(`one more ${i}`, as, carol), { code: 0x97 });
    const last = await connect("thing 99", as, carol);
    assert.equal(last.connack.sessionPresent, true);
    await last.client.endAsync(true, { properties: { sessionExpiryInterval: 0 } });
    carol.close();
  });

  test("a PUBLISH that is sent again is stored once, and the same text again is another message", async () => {
    await fresh();
    const publish = async (device: Device, dup: boolean): Promise<void> => {
      const packet = { cmd: "publish", topic: sendTo(roomId), payload: "on", qos: 1, dup, retain: false, messageId: 5 } as const;
      const answered = happens(device, "packetreceive");
      device.client.stream.write(generate({ ...packet }, { protocolVersion: 5 }));
      await answered;
    };
    const first = await connect("relay");
    await publish(first, false);
    await gone(first);
    const second = await connect("relay");
    await publish(second, true);
    await publish(second, false);
    await publish(second, false);
    await gone(second);
    const { messages } = await ada.messages.listMessages({ roomId });
    assert.equal(messages.length, 3);
  });
});
