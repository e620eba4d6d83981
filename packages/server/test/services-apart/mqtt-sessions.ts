// Sessions of MQTT clients at gateways, which have no Store: the realtime service keeps them. For `npm run test:faults`.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { ParlorClient } from "@parlor/client";
import { Room_Visibility } from "@parlor/contract";
import { MemoryBusHub } from "../../src/engines/bus-memory.ts";
import { openPostgres } from "../../src/engines/database-postgres.ts";
import { loadConfig, type RunningServer, startServer } from "../../src/index.ts";
import { freePort } from "../support/child-server.ts";
import { connectDevice, type Device, eventsOf, texts } from "../support/mqtt-device.ts";
import { faultLog, password } from "../support/running.ts";
import { type Apart, environmentOf, servicesApart, whyNotApart } from "../support/services-apart.ts";

describe("MQTT sessions through gateways", { skip: whyNotApart ?? false, timeout: 60_000 }, () => {
  const hub = new MemoryBusHub();
  const faults: string[] = [];
  let apart: Apart;
  let second: RunningServer;
  let ada: ParlorClient;
  let roomId: string;

  /** Another gateway of the same services. */
  async function gateway(bus = hub.join()): Promise<RunningServer> {
    const env = { ...environmentOf(apart.layout, "gateway"), PORT: String(await freePort()) };
    return startServer(loadConfig(env), { bus, log: faultLog(faults) });
  }

  before(async () => {
    apart = await servicesApart({ joinBus: () => hub.join() });
    second = await gateway();
    ada = new ParlorClient({ url: apart.url });
    await ada.signUp({ username: "ada", password });
    roomId = (await ada.rooms.createRoom({ name: "Lab", visibility: Room_Visibility.PUBLIC })).room?.id ?? "";
  });
  after(async () => {
    ada.close();
    await second.close();
    await apart[Symbol.asyncDispose]();
  });

  const connect = (clientId: string, port: number, clean = false): Promise<Device> =>
    connectDevice(`mqtt://127.0.0.1:${port}`, {
      protocolVersion: 5,
      clean,
      clientId,
      username: "ada",
      password: ada.tokens?.accessToken ?? "",
      properties: { sessionExpiryInterval: 3600 },
    });
  const say = async (...words: string[]): Promise<void> => {
    for (const text of words) await ada.messages.sendMessage({ roomId, text });
  };
  const got = (device: Device, text: string): Promise<void> => device.inbox.until(() => texts(device.inbox).includes(text));
  const closed = ({ client }: Device): Promise<void> => new Promise((resolve) => void client.once("close", () => resolve()));

  test("a session goes on through another gateway, with what it missed, in order, once", async () => {
    const first = await connect("sensor", apart.port);
    assert.equal(first.connack.sessionPresent, false);
    assert.equal(first.connack.properties?.sessionExpiryInterval, undefined, "it is kept as long as was asked for");
    await first.client.subscribeAsync(eventsOf(roomId), { qos: 1 });
    await say("one");
    await got(first, "one");
    await first.client.endAsync();
    await say("two", "three");
    await using other = await connect("sensor", second.port);
    assert.equal(other.connack.sessionPresent, true);
    await say("four");
    await got(other, "four");
    assert.deepEqual(texts(other.inbox), ["two", "three", "four"]);
  });

  test("a session in more rooms than a client's frame could name goes on", async () => {
    await (await connect("everywhere", apart.port)).client.subscribeAsync("parlor/v1/rooms/+/events", { qos: 1 });
    const database = await openPostgres({ url: apart.layout.environment["DATABASE_URL"] ?? "" });
    await database.query(`insert into mqtt_cursors (user_id, client_id, room_id, acked_seq, sent_seq)
      select user_id, client_id, gen_random_uuid(), 1, 1 from mqtt_sessions, generate_series(1, 2000) where client_id = 'everywhere'`);
    await database.close();
    await using other = await connect("everywhere", second.port);
    assert.equal(other.connack.sessionPresent, true);
    await say("one of two thousand");
    await got(other, "one of two thousand");
  });

  test("a connection through another gateway takes a session over, and the first one is told", async () => {
    await using first = await connect("phone", apart.port);
    await first.client.subscribeAsync(eventsOf(roomId), { qos: 1 });
    const [ended, code] = [
      closed(first),
      new Promise((resolve) => first.client.once("disconnect", ({ reasonCode }) => resolve(reasonCode))),
    ];
    await using other = await connect("phone", second.port);
    assert.equal(other.connack.sessionPresent, true);
    assert.equal(await code, 0x8e);
    await ended;
    await say("to the second");
    await got(other, "to the second");
    assert.ok(!texts(first.inbox).includes("to the second"));
  });

  test("without a bus between them, the first gateway learns of it when it stores", async () => {
    const third = await gateway(new MemoryBusHub().join());
    await using first = await connect("tablet", third.port);
    await first.client.subscribeAsync(eventsOf(roomId), { qos: 1 });
    await using other = await connect("tablet", second.port);
    const ended = closed(first);
    await say("acknowledged by both");
    await got(other, "acknowledged by both");
    await ended;
    assert.equal(other.client.connected, true);
    await third.close();
  });

  test("a session outlives the realtime service", async () => {
    const first = await connect("meter", apart.port);
    await first.client.subscribeAsync(eventsOf(roomId), { qos: 1 });
    const ended = closed(first);
    await apart.stop("realtime");
    await ended;
    await say("meanwhile");
    await apart.start("realtime");
    await using again = await connect("meter", second.port);
    assert.equal(again.connack.sessionPresent, true);
    await got(again, "meanwhile");
  });

  test("a clean start leaves nothing of a session", async () => {
    await (await connect("clock", apart.port)).client.endAsync();
    await using again = await connect("clock", second.port, true);
    assert.equal(again.connack.sessionPresent, false);
  });

  test("nothing of this is a fault", () => assert.deepEqual([...faults, ...apart.faults], []));
});
