// Connections that do not keep up, keep silent or come too often, and the end of the server.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as grpc from "@grpc/grpc-js";
import { Goodbye_Reason, MessagesService, Reason } from "@parlor/contract";
import { type Engine, engines } from "../support/databases.ts";
import { driversOf } from "../support/drivers/index.ts";
import { newName, party } from "../support/party.ts";
import { RawSocket } from "../support/raw-socket.ts";
import { refused } from "../support/refused.ts";
import { running } from "../support/running.ts";

// None of this depends on the database.
const engine = engines[0] as Engine;
const same = (bytes: Buffer): Buffer => bytes;

async function metric(url: string, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const values = text.split("\n").filter((line) => line.startsWith(name));
  return values.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" ") + 1)), 0);
}

describe("Limits of live connections", { timeout: 60_000 }, () => {
  test("who stops reading is let go, and hurts nobody else", async () => {
    await using server = await running(engine, { PARLOR_OUTBOUND_SIZE: "1MiB" });
    using guests = await party(server);
    const { host, roomId } = guests;
    const good = await Promise.all(guests.guests.map((person) => person.connect()));
    using slow = await RawSocket.open(server.url, { token: host.token });
    using stuck = await stuckStream(server.port, host.token);
    slow.stopReading();
    const letGo = (): Promise<number> => metric(server.url, 'parlor_disconnects_total{protocol="grpc",reason="SLOW_CONSUMER"');
    let sent = 0;
    let queued = 0;
    // The network takes some megabytes before anybody notices.
    for (let ended = 0; ended < 2 && sent < 1500; ) {
      const texts = Array.from({ length: 20 }, () => "語".repeat(8000));
      await Promise.all(texts.map((text) => host.call(MessagesService.method.sendMessage, { roomId, text })));
      sent += texts.length;
      queued = Math.max(queued, await metric(server.url, "parlor_queued_bytes"));
      ended = await metric(server.url, "parlor_disconnects_total");
    }
    assert.equal(await letGo(), 1);
    assert.ok(queued < 5 * 1024 ** 2, `${queued} bytes waited`);
    // Whoever reads on within three seconds is told why.
    stuck.resume();
    slow.readOn();
    assert.equal((await stuck.status).code, grpc.status.RESOURCE_EXHAUSTED);
    assert.deepEqual(await slow.goodbye(), { reason: Goodbye_Reason.SLOW_CONSUMER, code: 4002 });
    // What the network took in pieces came whole and in order.
    const heard = slow.frames.items.flatMap(({ events }) => events.map(({ seq }) => seq)).filter((seq) => seq > 0);
    assert.ok(heard.length > 20);
    assert.deepEqual(
      heard,
      heard.map((_, i) => (heard[0] as number) + i),
    );
    for (const { inbox } of good) {
      await inbox.until((events) => events.filter(({ kind }) => kind.case === "messageSent").length === sent);
    }
    assert.deepEqual(server.faults, []);
  });

  test("who gives no sign of life is let go", async () => {
    await using server = await running(engine, { PARLOR_HEARTBEAT: "300ms", PARLOR_DEAD_AFTER: "300ms" });
    using guests = await party(server);
    const lives = await Promise.all(guests.guests.map((person) => person.connect()));
    using silent = await RawSocket.open(server.url, { token: guests.guests[0]?.token ?? "", autoPong: false });
    using answering = await RawSocket.open(server.url, { token: guests.guests[0]?.token ?? "" });
    assert.deepEqual(await silent.goodbye(), { reason: Goodbye_Reason.HEARTBEAT_TIMEOUT, code: 4003 });
    await answering.frames.until((frames) => frames.filter(({ welcome, goodbye }) => !welcome && !goodbye).length >= 4);
    const ended = await Promise.race([...lives.map((live) => live.ended), answering.closed, Promise.resolve("none")]);
    assert.equal(ended, "none", "somebody who is there was let go");
  });

  test("who does not say hello is let go", async () => {
    await using server = await running(engine, { PARLOR_HELLO_TIMEOUT: "200ms" });
    using silent = await RawSocket.open(server.url);
    assert.deepEqual(await silent.goodbye(), { reason: Goodbye_Reason.HELLO_TIMEOUT, code: 4004 });
    using stream = openStream(server.port, "");
    assert.equal((await stream.status).code, grpc.status.DEADLINE_EXCEEDED);
  });

  test("a user has so many connections, and another when one is closed", async () => {
    await using server = await running(engine, { PARLOR_CONNECTIONS_PER_USER: "3" });
    const [first] = driversOf(server);
    const person = await first?.signUp(newName());
    assert.ok(person);
    const everywhere = driversOf(server).map((driver) => driver.withToken(person.token, person.user));
    const lives = await Promise.all(everywhere.map((one) => one.connect()));
    for (const one of everywhere.slice(0, 1)) await refused(one.connect(), Reason.TOO_MANY_CONNECTIONS);
    using turnedAway = await RawSocket.open(server.url);
    turnedAway.say({ hello: { token: person.token } });
    assert.deepEqual(await turnedAway.goodbye(), { reason: Goodbye_Reason.TOO_MANY_CONNECTIONS, code: 4011 });
    lives[2]?.close();
    await lives[2]?.ended;
    await untilMetric(server.url, "parlor_connections", 2);
    await everywhere[0]?.connect();
    for (const one of [person, ...everywhere]) one.close();
  });

  test("a server that goes down says so, and asks each to come back at another time", async () => {
    const server = await running(engine);
    using guests = await party(server);
    const lives = await Promise.all(guests.guests.flatMap((person) => [1, 2, 3, 4].map(() => person.connect())));
    await server[Symbol.asyncDispose]();
    const endings = await Promise.all(lives.map((live) => live.ended));
    assert.deepEqual([...new Set(endings.map(({ reason }) => reason))], [Goodbye_Reason.SHUTDOWN]);
    assert.ok(new Set(endings.map(({ afterMs }) => afterMs)).size > 6, "all at the same time");
    assert.ok(endings.every(({ afterMs = 0 }) => afterMs >= 0 && afterMs <= 5000));
    assert.deepEqual(server.faults, []);
  });
});

async function untilMetric(url: string, name: string, value: number): Promise<void> {
  while ((await metric(url, name)) !== value);
}

/** A bare gRPC stream, without a hello unless there is a token. */
function openStream(port: number, token: string) {
  const client = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure(), { "grpc.use_local_subchannel_pool": 1 });
  const metadata = new grpc.Metadata();
  if (token !== "") metadata.set("authorization", `Bearer ${token}`);
  const call = client.makeBidiStreamRequest("/parlor.v1.RealtimeService/Connect", same, same, metadata);
  call.on("error", () => undefined);
  const status = new Promise<grpc.StatusObject>((resolve) => call.on("status", resolve));
  return { call, status, [Symbol.dispose]: () => client.close() };
}

/** A gRPC stream that is welcome, and then reads no more. */
async function stuckStream(port: number, token: string) {
  const { call, ...stream } = openStream(port, token);
  // Field 2 of ClientFrame: an empty hello.
  call.write(Buffer.from([0x12, 0]));
  await new Promise((resolve) => call.once("data", resolve));
  call.pause();
  const resume = (): void => void call.on("data", () => undefined).resume();
  return { ...stream, resume };
}
