import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { ParlorClient } from "@parlor/client";
import type { IClientOptions } from "mqtt";
import { type Cluster, type ClusterNode, cluster, memoryBus, noCluster } from "../support/cluster.ts";
import { connectDevice, type Device, eventsOf, sendTo, texts } from "../support/mqtt-device.ts";
import { password } from "../support/running.ts";

describe("MQTT on several nodes", { skip: noCluster ?? false }, () => {
  let nodes: Cluster;
  let one: ClusterNode;
  let two: ClusterNode;
  let ada: ParlorClient;
  before(async () => {
    nodes = await cluster(memoryBus(), { size: 2 });
    [one, two] = nodes.nodes as [ClusterNode, ClusterNode];
    ada = new ParlorClient({ url: one.url });
    await ada.signUp({ username: "ada", password });
  });
  after(async () => {
    ada.close();
    await nodes[Symbol.asyncDispose]();
    assert.deepEqual(nodes.faults, []);
  });

  test("a session goes on at another node, which takes it over, also while the bus is away", async () => {
    const roomId = (await ada.rooms.createRoom({ name: "Lab" })).room?.id ?? "";
    const connect = (port: number): Promise<Device> =>
      connectDevice(`mqtt://127.0.0.1:${port}`, {
        protocolVersion: 5,
        clean: false,
        clientId: "walker",
        username: "ada",
        password: ada.tokens?.accessToken ?? "",
        properties: { sessionExpiryInterval: 3600 },
      });
    const heard = (device: Device, text: string): Promise<void> => device.inbox.until(() => texts(device.inbox).includes(text));
    const closed = (device: Device): Promise<void> => new Promise((resolve) => void device.client.once("close", () => resolve()));

    const first = await connect(one.port);
    await first.client.subscribeAsync(eventsOf(roomId), { qos: 1 });
    await first.client.publishAsync(sendTo(roomId), "at one", { qos: 1 });
    await heard(first, "at one");
    const over = closed(first);
    const second = await connect(two.port);
    await over;
    assert.equal(second.connack.sessionPresent, true);
    await second.client.publishAsync(sendTo(roomId), "at two", { qos: 1 });
    await heard(second, "at two");

    const heal = await nodes.interrupt();
    const third = await connect(one.port);
    await ada.messages.sendMessage({ roomId, text: "without the bus" });
    await heard(third, "without the bus");
    // The old connection gets it, too, once its node has heard of it; when it stores what it has acknowledged, it learns that the
    // session is another's.
    const late = closed(second);
    await heal();
    await late;
    await third.client.endAsync();
    const fourth = await connect(two.port);
    await ada.messages.sendMessage({ roomId, text: "the end" });
    await heard(fourth, "the end");
    assert.deepEqual(texts(fourth.inbox), ["the end"]);
    await fourth.client.endAsync();
  });

  test("who has a will appears offline when the connection is lost, and not when it is ended", async () => {
    const bob = new ParlorClient({ url: one.url });
    const { id: bobId } = await bob.signUp({ username: "bob", password });
    await ada.rooms.createRoom({ name: "Watch", memberIds: [bobId] });
    const watcher = await connectDevice(`mqtt://127.0.0.1:${two.port}`, { username: "ada", password: ada.tokens?.accessToken ?? "" });
    await watcher.client.subscribeAsync("parlor/v1/me/presence");
    const will = { topic: "parlor/v1/me/presence", payload: Buffer.from("OFFLINE") };
    const connect = (options: IClientOptions = {}): Promise<Device> =>
      connectDevice(`mqtt://127.0.0.1:${one.port}`, { username: "bob", password: bob.tokens?.accessToken ?? "", will, ...options });
    /** How bob has appeared to the watcher so far. */
    const shown = (): string[] => watcher.inbox.items.map(({ text }) => JSON.parse(text).presenceChanged.presence.status);
    const shows = (...statuses: string[]): Promise<void> => watcher.inbox.until(() => shown().length >= statuses.length);

    const first = await connect();
    await shows("ONLINE");
    first.client.stream.destroy();
    await shows("ONLINE", "OFFLINE");
    const second = await connect();
    await shows("ONLINE", "OFFLINE", "ONLINE");
    await second.client.endAsync();
    // It was the last one, and had no will; nor does one count that is not the last.
    const third = await connect({ will: undefined });
    const fourth = await connect();
    fourth.client.stream.destroy();
    await third.client.publishAsync("parlor/v1/me/presence", "BUSY", { qos: 1 });
    await shows("ONLINE", "OFFLINE", "ONLINE", "BUSY");
    await third.client.publishAsync("parlor/v1/me/presence", "ONLINE", { qos: 1 });
    await third.client.endAsync();
    // The delay ends with the session, which is not kept.
    const properties = { willDelayInterval: 3600 };
    const last = await connect({ protocolVersion: 5, will: { ...will, properties } });
    last.client.stream.destroy();
    await shows("ONLINE", "OFFLINE", "ONLINE", "BUSY", "ONLINE", "OFFLINE");
    assert.deepEqual(shown(), ["ONLINE", "OFFLINE", "ONLINE", "BUSY", "ONLINE", "OFFLINE"]);
    await watcher.client.endAsync();
    bob.close();
  });

  test("a group that is spread over nodes gets each event once, and goes on when a member or a node goes", async () => {
    const roomId = (await ada.rooms.createRoom({ name: "Jobs" })).room?.id ?? "";
    const connect = async (port: number, filter: string): Promise<Device> => {
      const options = { protocolVersion: 5, username: "ada", password: ada.tokens?.accessToken ?? "" } as const;
      const device = await connectDevice(`mqtt://127.0.0.1:${port}`, options);
      await device.client.subscribeAsync(filter, { qos: 0 });
      return device;
    };
    const bot = (port: number): Promise<Device> => connect(port, `$share/bots/${eventsOf(roomId)}`);
    const bots = [await bot(one.port), await bot(two.port), await bot(two.port)];
    const watchers = [await connect(one.port, eventsOf(roomId)), await connect(two.port, eventsOf(roomId))];
    let said = 0;
    /** What each of these bots got of 30 jobs, when both nodes have brought them to everyone. */
    const jobs = async (working: readonly Device[]): Promise<string[][]> => {
      const words = Array.from({ length: 30 }, () => `job ${1000 + said++}`);
      const before = working.map(({ inbox }) => inbox.items.length);
      await Promise.all(words.map((text) => ada.messages.sendMessage({ roomId, text })));
      for (const { client, inbox } of watchers)
        if (client.connected) await inbox.until(() => words.every((text) => texts(inbox).includes(text)));
      // What was written before the answer has come before it.
      for (const { client } of working) await client.publishAsync(`parlor/v1/rooms/${roomId}/typing`, "", { qos: 1 });
      const got = working.map(({ inbox }, i) => texts(inbox).slice(before[i]));
      assert.deepEqual(got.flat().sort(), words);
      return got;
    };
    for (const part of await jobs(bots)) assert.ok(part.length > 0, "a member got nothing");
    await bots[2]?.client.unsubscribeAsync(`$share/bots/${eventsOf(roomId)}`);
    await jobs(bots.slice(0, 2));
    await nodes.stop(two);
    await jobs(bots.slice(0, 1));
    for (const { client } of [...bots, ...watchers]) await client.endAsync(true);
  });
});
