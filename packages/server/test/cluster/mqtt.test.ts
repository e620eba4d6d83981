import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ParlorClient } from "@parlor/client";
import { cluster, memoryBus, noCluster } from "../support/cluster.ts";
import { connectDevice, type Device, eventsOf, sendTo, texts } from "../support/mqtt-device.ts";
import { password } from "../support/running.ts";

describe("MQTT sessions on several nodes", { skip: noCluster ?? false }, () => {
  test("a session goes on at another node, which takes it over, also while the bus is away", async () => {
    await using nodes = await cluster(memoryBus(), { size: 2 });
    const [one, two] = nodes.nodes;
    assert.ok(one && two);
    const ada = new ParlorClient({ url: one.url });
    await ada.signUp({ username: "ada", password });
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
    ada.close();
    assert.deepEqual(nodes.faults, []);
  });
});
