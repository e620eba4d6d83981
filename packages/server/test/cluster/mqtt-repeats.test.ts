// A device is cut off while its PUBLISH is on its way into the log, and sends it again by another node. PostgreSQL keeps it on its
// way for as long as somebody else has the room locked.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { MessagesService, RoomsService } from "@parlor/contract";
import { type Cluster, cluster, memoryBus, noCluster } from "../support/cluster.ts";
import type { Person } from "../support/drivers/driver.ts";
import { allMessages } from "../support/history.ts";
import { sendTo } from "../support/mqtt-device.ts";
import { RawMqtt } from "../support/mqtt-raw.ts";

describe("A PUBLISH that is sent again is stored once, by whichever node", { skip: noCluster ?? false }, () => {
  let nodes: Cluster;
  let ada: Person;
  before(async () => {
    // One writer: what waits for a room waits behind all others.
    nodes = await cluster(memoryBus(), { size: 2, env: { PARLOR_LOG_WRITERS: "1" } });
    ada = await nodes.signUp();
  });
  after(async () => {
    assert.deepEqual(nodes.faults, []);
    await nodes[Symbol.asyncDispose]();
  });

  const room = async (): Promise<string> => (await ada.call(RoomsService.method.createRoom, { name: "Lab" })).room?.id ?? "";
  const device = async (node: number): Promise<RawMqtt> => {
    const client = await RawMqtt.open(nodes.nodes[node]?.port ?? 0);
    const password = Buffer.from(ada.token);
    const properties = { sessionExpiryInterval: 3600 };
    client.send({
      cmd: "connect",
      protocolVersion: 5,
      clientId: "walker",
      clean: false,
      username: ada.user.username,
      password,
      properties,
    });
    await client.find("connack");
    return client;
  };
  const publish = (client: RawMqtt, roomId: string, messageId: number, dup = false): void =>
    client.send({ cmd: "publish", topic: sendTo(roomId), payload: "on", qos: 1, messageId, dup, retain: false });
  /** Keeps everybody from adding to a room, until the returned function is called. */
  const lock = async (roomId: string): Promise<() => Promise<void>> => {
    const connection = await nodes.database.connect();
    await connection.query("begin");
    await connection.query("select from rooms where id = $1 for update", [roomId]);
    return async () => {
      await connection.query("rollback");
      await connection.release();
    };
  };
  /** Resolves when so many transactions wait for a lock. */
  const waiting = async (count: number): Promise<void> => {
    const text = "select count(*)::int as count from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    while (((await nodes.database.query<{ count: number }>(text)).rows[0]?.count ?? 0) < count);
  };
  const said = async (roomId: string): Promise<string[]> => (await allMessages(ada, roomId)).map(({ text }) => text);

  test("while the first is in its transaction", async () => {
    const roomId = await room();
    const first = await device(0);
    const unlock = await lock(roomId);
    publish(first, roomId, 5);
    await waiting(1);
    await first[Symbol.asyncDispose]();
    await using second = await device(1);
    publish(second, roomId, 5, true);
    await waiting(2);
    await unlock();
    await second.find("puback");
    assert.deepEqual(await said(roomId), ["on"]);
    publish(second, roomId, 5);
    await second.packets.until((items) => items.filter(({ cmd }) => cmd === "puback").length === 2);
    assert.deepEqual(await said(roomId), ["on", "on"]);
  });

  test("by the same node, in one transaction with the first", async () => {
    const [roomId, other] = [await room(), await room()];
    const first = await device(0);
    const unlock = await lock(other);
    const blocked = nodes.at(ada, 0).call(MessagesService.method.sendMessage, { roomId: other, text: "in the way" });
    await waiting(1);
    publish(first, roomId, 8);
    first.send({ cmd: "pingreq" });
    await first.find("pingresp");
    await first[Symbol.asyncDispose]();
    await using second = await device(0);
    publish(second, roomId, 8, true);
    second.send({ cmd: "pingreq" });
    await second.find("pingresp");
    await unlock();
    await blocked;
    await second.find("puback");
    assert.deepEqual(await said(roomId), ["on"]);
  });

  for (const bus of ["with", "without"]) {
    test(`while the first waits for its transaction, ${bus} the bus`, async () => {
      const [roomId, other] = [await room(), await room()];
      const first = await device(0);
      const heal = bus === "without" && (await nodes.interrupt());
      const unlock = await lock(other);
      const blocked = nodes.at(ada, 0).call(MessagesService.method.sendMessage, { roomId: other, text: "in the way" });
      await waiting(1);
      publish(first, roomId, 6);
      publish(first, roomId, 7);
      first.send({ cmd: "pingreq" });
      await first.find("pingresp");
      await first[Symbol.asyncDispose]();
      await using second = await device(1);
      publish(second, roomId, 6, true);
      await second.find("puback");
      await unlock();
      await blocked;
      // By the node of the first, behind it.
      await nodes.at(ada, 0).call(MessagesService.method.sendMessage, { roomId, text: "the end" });
      assert.deepEqual(await said(roomId), ["on", "on", "the end"]);
      if (heal) await heal();
    });
  }
});
