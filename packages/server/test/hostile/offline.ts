// A session with a hundred thousand messages to come, and a client that takes them slowly or not at all: for `npm run test:faults`.
import assert from "node:assert/strict";
import { test } from "node:test";
import { fromJsonString } from "@bufbuild/protobuf";
import { EventSchema, RoomsService } from "@parlor/contract";
import type { Packet } from "mqtt-packet";
import type { Person } from "../support/drivers/driver.ts";
import { grpcDriver } from "../support/drivers/grpc.ts";
import { eventsOf } from "../support/mqtt-device.ts";
import { RawMqtt } from "../support/mqtt-raw.ts";
import { type Target, target } from "./target.ts";

const messages = 100_000;
/** Sends under way at a time. */
const atOnce = 1000;
/** How much more memory the server may take for it (bytes): pages of the log on their way, and what garbage collection leaves. */
const allowed = 48 * 1024 * 1024;

test(`${messages} messages wait for a slow reader, at no cost`, { timeout: 300_000 }, async (context) => {
  await using server = await target();
  const ada = await grpcDriver(server.port).signUp("ada");
  const roomId = (await ada.call(RoomsService.method.createRoom, { name: "Lab" })).room?.id ?? "";
  const first = await connect(server.port, ada);
  first.send({ cmd: "subscribe", messageId: 1, subscriptions: [{ topic: eventsOf(roomId), qos: 1 }] });
  await first.find("suback");
  await first[Symbol.asyncDispose]();
  await fill(ada, roomId);

  const before = await server.memory();
  const grown = async (): Promise<string> => {
    const { rss, heap } = await server.memory();
    assert.ok(heap - before.heap < allowed && rss - before.rss < allowed, `${heap - before.heap} in objects, ${rss - before.rss} in all`);
    return `${megabytes(heap - before.heap)} MB in objects, ${megabytes(rss - before.rss)} MB in all`;
  };
  context.diagnostic(`not reading: ${await notReading(server, ada, grown)}`);
  await using reader = await connect(server.port, ada);
  const started = performance.now();
  const sizes = await readAll(reader, grown);
  context.diagnostic(`reading, in ${Math.round(performance.now() - started)} ms: ${sizes.at(-1)}`);
  await server.assertWell();
  ada.close();
});

async function connect(port: number, { token, user }: Person): Promise<RawMqtt> {
  const device = await RawMqtt.open(port);
  const properties = { sessionExpiryInterval: 3600, receiveMaximum: 500 };
  const password = Buffer.from(token);
  device.send({ cmd: "connect", protocolVersion: 5, clientId: "slow", clean: false, username: user.username, password, properties });
  await device.find("connack");
  return device;
}

async function fill(person: Person, roomId: string): Promise<void> {
  const live = await person.connect();
  for (let sent = 0; sent < messages; sent += atOnce)
    await Promise.all(Array.from({ length: atOnce }, (_, i) => live.send(roomId, `message ${sent + i}`, "")));
  live.close();
}

/** It comes back, and neither reads nor acknowledges; somebody else talks meanwhile. */
async function notReading(server: Target, person: Person, grown: () => Promise<string>): Promise<string> {
  await using device = await connect(server.port, person);
  device.socket.pause();
  for (let i = 0; i < 20; i++) await person.call(RoomsService.method.listMyRooms, {});
  return grown();
}

/** Acknowledges each as it comes, and looks at the server every so often. @throws AssertionError when one is missing or comes twice */
async function readAll(device: RawMqtt, grown: () => Promise<string>): Promise<string[]> {
  const sizes: string[] = [];
  let next = 0;
  const take = (packet: Packet): void => {
    if (packet.cmd !== "publish") return;
    const { kind } = fromJsonString(EventSchema, packet.payload.toString());
    assert.equal(kind.case === "messageSent" && kind.value.message?.text, `message ${next}`);
    next++;
    device.send({ cmd: "puback", messageId: packet.messageId as number, reasonCode: 0 });
  };
  const { items } = device.packets;
  for (const packet of items) take(packet);
  device.packets.onItem(take);
  for (let enough = messages / 10; enough <= messages; enough += messages / 10) {
    await device.packets.until(() => next >= enough);
    sizes.push(await grown());
  }
  return sizes;
}

function megabytes(bytes: number): number {
  return Math.round(bytes / 2 ** 20);
}
