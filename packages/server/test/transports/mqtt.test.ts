import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { fromBinary } from "@bufbuild/protobuf";
import { ParlorClient } from "@parlor/client";
import { type Event, EventSchema } from "@parlor/contract";
import type { IClientOptions } from "mqtt";
import { connectDevice, type Device, eventsOf, sendTo, texts } from "../support/mqtt-device.ts";
import { onEveryEngine, password, type Running, running } from "../support/running.ts";

for (const protocolVersion of [4, 5] as const) {
  onEveryEngine(`MQTT ${protocolVersion === 4 ? "3.1.1" : "5"}`, (engine) => {
    let server: Running;
    let ada: ParlorClient;
    let roomId: string;
    let token: string;
    before(async () => {
      server = await running(engine, { PARLOR_MQTT_PORT: "0" });
      ada = new ParlorClient({ url: server.url });
      await ada.signUp({ username: "ada", password });
      roomId = (await ada.rooms.createRoom({ name: "Lab" })).room?.id ?? "";
      token = ada.tokens?.accessToken ?? "";
    });
    after(async () => {
      ada.close();
      await server[Symbol.asyncDispose]();
    });
    const connect = (options: IClientOptions = {}, url = `mqtt://127.0.0.1:${server.port}`): Promise<Device> =>
      connectDevice(url, { protocolVersion, username: "ada", password: token, ...options });

    for (const qos of [0, 1] as const) {
      test(`sends, and hears with QoS ${qos}`, async () => {
        await using thing = await connect();
        const [granted] = await thing.client.subscribeAsync(eventsOf(roomId), { qos });
        assert.equal(granted?.qos, qos);
        await thing.client.publishAsync(sendTo(roomId), "22.5 °C", { qos: 1 });
        await thing.client.publishAsync(sendTo(roomId), JSON.stringify({ text: "as JSON" }), { qos });
        await thing.inbox.until(({ length }) => length === 2);
        assert.deepEqual(texts(thing.inbox), ["22.5 °C", "as JSON"]);
        for (const { topic, packet } of thing.inbox.items) {
          assert.equal(topic, eventsOf(roomId));
          assert.equal(packet.qos, qos);
          assert.equal(packet.dup, false);
        }
      });
    }

    test("publishes with QoS 2, and is granted QoS 1", async () => {
      await using thing = await connect();
      const [granted] = await thing.client.subscribeAsync(eventsOf(roomId), { qos: 2 });
      assert.equal(granted?.qos, 1);
      const words = ["two", "two", "more"];
      await Promise.all(words.map((text) => thing.client.publishAsync(sendTo(roomId), text, { qos: 2 })));
      await thing.inbox.until(({ length }) => length === 3);
      assert.deepEqual(texts(thing.inbox), words);
    });

    test("a subscription to every room brings the rooms that one comes into", async () => {
      await using thing = await connect();
      await thing.client.subscribeAsync("parlor/v1/rooms/+/events", { qos: 1 });
      const other = (await ada.rooms.createRoom({ name: "Attic" })).room?.id ?? "";
      await ada.messages.sendMessage({ roomId: other, text: "up here" });
      const got = await thing.inbox.find(({ text }) => text.includes("up here"));
      assert.equal(got.topic, eventsOf(other));
    });

    test("what it asks for may change while events come", async () => {
      await using thing = await connect();
      const { client, inbox } = thing;
      const everyRoom = "parlor/v1/rooms/+/events";
      const heard = async (text: string): Promise<number> => {
        await ada.messages.sendMessage({ roomId, text });
        return (await inbox.find((message) => message.text.includes(text))).packet.qos;
      };
      await client.subscribeAsync(eventsOf(roomId), { qos: 0 });
      assert.equal(await heard("first"), 0);
      await client.unsubscribeAsync(eventsOf(roomId));
      await ada.messages.sendMessage({ roomId, text: "to nobody" });
      await client.subscribeAsync(eventsOf(roomId), { qos: 0 });
      assert.equal(await heard("again"), 0);
      await client.subscribeAsync(everyRoom, { qos: 1 });
      assert.equal(await heard("of two subscriptions, the better"), 1);
      await client.unsubscribeAsync(everyRoom);
      assert.equal(await heard("the other is still there"), 0);
      assert.deepEqual(texts(inbox), ["first", "again", "of two subscriptions, the better", "the other is still there"]);
    });

    test("the same on a port of its own, and over WebSocket", async () => {
      const { mqttPort } = server.server;
      const ws = server.url.replace("http", "ws");
      for (const url of [`mqtt://127.0.0.1:${mqttPort}`, `${ws}/mqtt`, `${ws}/api/v1/realtime`]) {
        await using thing = await connect({}, url);
        await thing.client.subscribeAsync(eventsOf(roomId), { qos: 1 });
        await thing.client.publishAsync(sendTo(roomId), url, { qos: 1 });
        await thing.inbox.find(({ text }) => text.includes(url));
      }
    });

    test("a group shares the events of a room", async () => {
      await using one = await connect();
      await using two = await connect();
      for (const { client } of [one, two]) await client.subscribeAsync(`$share/bots/${eventsOf(roomId)}`, { qos: 1 });
      const words = Array.from({ length: 20 }, (_, i) => `job ${protocolVersion} ${i + 10}`);
      await Promise.all(words.map((text) => ada.messages.sendMessage({ roomId, text })));
      while (one.inbox.items.length + two.inbox.items.length < 20) await new Promise((resolve) => setImmediate(resolve));
      assert.ok(one.inbox.items.length > 0 && two.inbox.items.length > 0, "one of them got all");
      assert.deepEqual([...texts(one.inbox), ...texts(two.inbox)].sort(), words);
    });

    for (const qos of protocolVersion === 5 ? ([0, 1] as const) : [])
      test(`events in protobuf with QoS ${qos}, and none that is larger than the client takes`, async () => {
        await using thing = await connect({ properties: { maximumPacketSize: 600 } });
        const binary: Event[] = [];
        thing.client.on("message", (_topic, payload) => binary.push(fromBinary(EventSchema, payload)));
        await thing.client.subscribeAsync(eventsOf(roomId), { qos, properties: { userProperties: { format: "protobuf" } } });
        for (const text of ["x".repeat(1000), "short"]) await ada.messages.sendMessage({ roomId, text });
        await thing.inbox.until(({ length }) => length > 0);
        const [{ kind } = assert.fail()] = binary;
        assert.equal(kind.case === "messageSent" && kind.value.message?.text, "short");
      });

    test("a wrong password is refused", async () => {
      await assert.rejects(connect({ password }), protocolVersion === 4 ? { code: 4 } : { code: 0x86 });
      await assert.rejects(connect({ username: "bob" }), protocolVersion === 4 ? { code: 4 } : { code: 0x86 });
    });
  });
}
