import assert from "node:assert/strict";
import { test } from "node:test";
import { Code, Goodbye_Reason, ParlorError, type SendMessageResponse } from "@parlor/contract";
import { ParlorClient } from "../src/index.ts";
import { ROOM } from "./support/events.ts";
import { HastyClock } from "./support/hasty-clock.ts";
import { WireServer } from "./support/wire-server.ts";

/** A client that begins with the first of three servers; its waits are over at once. */
async function start(random: () => number = () => 0) {
  const servers = [await WireServer.start(), await WireServer.start(), await WireServer.start()] as const;
  const clock = new HastyClock();
  const client = new ParlorClient({ url: servers.map(({ url }) => url), token: "secret", clock, random });
  const close = async (): Promise<void> => {
    client.close();
    for (const server of servers) await server[Symbol.asyncDispose]();
  };
  return { servers, clock, client, [Symbol.asyncDispose]: close };
}

const lines = (server: WireServer): readonly string[] => server.requests.map(({ line }) => line);

test("a call that a server does not answer goes on to the next one, and stays there", async () => {
  await using t = await start();
  const [first, second, third] = t.servers;
  first.answer = () => ({ status: 503, body: "the proxy says no" });
  for (const server of [second, third]) server.answer = () => ({ body: "{}" });
  await t.client.rooms.listMyRooms();
  await t.client.rooms.listMyRooms();
  assert.deepEqual([lines(first).length, lines(second).length, lines(third).length], [1, 2, 0]);
});

test("a refusal is not a server's own trouble", async () => {
  await using t = await start();
  const [first, second] = t.servers;
  first.answer = () => ({ status: 403, body: "{}" });
  await assert.rejects(t.client.rooms.listMyRooms(), { code: Code.PERMISSION_DENIED });
  await assert.rejects(t.client.rooms.listMyRooms(), { code: Code.PERMISSION_DENIED });
  assert.deepEqual([lines(first).length, lines(second).length], [2, 0]);
});

test("the stream goes on at the next server, with what was not answered, and round to the first", async () => {
  await using t = await start();
  const [first, second, third] = t.servers;
  const connected = t.client.connect();
  const peer = await first.accept();
  await peer.hello();
  peer.welcome();
  await connected;
  const sending: Promise<SendMessageResponse> = t.client.send(ROOM, "hi", { clientMessageId: "k" });
  sending.catch(() => undefined);
  await peer.frame();

  peer.send({ goodbye: { reason: Goodbye_Reason.SHUTDOWN, reconnect: true, reconnectAfterMs: 700 } });
  const other = await second.accept();
  assert.equal(t.clock.waits.includes(700), true);
  await other.hello();
  other.welcome();
  assert.equal((await other.frame()).kind.case, "send");
  other.drop();
  (await third.accept()).drop();
  await first.accept();
});

test("clients with the same list begin with different servers", async () => {
  await using t = await start(() => 0.5);
  void t.client.connect().catch((error: unknown) => assert.ok(error instanceof ParlorError));
  await t.servers[1].accept();
});

test("a list without servers is refused, and what is no URL", () => {
  for (const url of [[], "chat.example", ["http://localhost", "ftp://localhost"]])
    assert.throws(() => new ParlorClient({ url }), TypeError);
});
