import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ParlorClient } from "@parlor/client";
import { Room_Visibility } from "@parlor/contract";
import type { IClientOptions } from "mqtt";
import { generate, type IConnectPacket } from "mqtt-packet";
import { connectDevice, type Device, eventsOf, sendTo, texts } from "../support/mqtt-device.ts";
import { RawMqtt } from "../support/mqtt-raw.ts";
import { onEveryEngine, password, type Running, running } from "../support/running.ts";

function happens({ client }: Device, event: "close" | "packetreceive"): Promise<void> {
  return new Promise((resolve) => void client.once(event, () => resolve()));
}

onEveryEngine("MQTT sessions", (engine) => {
  let server: Running;
  let ada: ParlorClient;
  let bob: ParlorClient;
  let roomId: string;
  let bobId: string;
  before(async () => {
    server = await running(engine);
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
  const raw = async (clientId: string, properties: IConnectPacket["properties"] = {}): Promise<RawMqtt> => {
    const device = await RawMqtt.open(server.port);
    const password = Buffer.from(ada.tokens?.accessToken ?? "");
    device.send({
      cmd: "connect",
      protocolVersion: 5,
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
