import assert from "node:assert/strict";
import { test } from "node:test";
import { Code, Goodbye_Reason, ParlorError, Reason } from "@parlor/contract";
import { WebSocket as WsWebSocket } from "ws";
import { ParlorClient } from "../src/index.ts";
import { ROOM, sent } from "./support/events.ts";
import { Session } from "./support/session.ts";

const reasons = Object.values(Goodbye_Reason).filter((reason) => typeof reason === "number");

for (const reason of reasons.filter((each) => each !== Goodbye_Reason.TOKEN_EXPIRED)) {
  test(`goodbye ${Goodbye_Reason[reason]} with reconnect: the client returns after the time that the server names`, async () => {
    await using session = await Session.start();
    const { peer } = await session.connect();
    const waiting = session.state("waiting");
    peer.send({ goodbye: { reason, reconnect: true, reconnectAfterMs: 1234 } });
    const change = await waiting;
    assert.deepEqual([change.goodbye, change.retryInMs], [reason, 1234]);
    assert.ok(change.error instanceof ParlorError);
    session.clock.advance(1233);
    assert.equal(session.client.state, "waiting");
    session.clock.advance(1);
    await session.welcome();
    assert.equal(session.client.state, "live");
  });

  test(`goodbye ${Goodbye_Reason[reason]} without reconnect: the client stops with a clear error`, async () => {
    await using session = await Session.start();
    const { peer } = await session.connect();
    const closed = session.state("closed");
    const sending = session.client.send(ROOM, "x");
    const loop = session.client.events().next();
    peer.send({ events: [], goodbye: { reason, reconnect: false } });
    const { error, goodbye } = await closed;
    assert.equal(goodbye, reason);
    assert.ok(error instanceof ParlorError && error.message !== "");
    await assert.rejects(sending, error);
    await assert.rejects(loop, error);
    assert.equal(await peer.closed, 1000);
  });
}

test("the error of a goodbye is the server's own", async () => {
  await using session = await Session.start();
  const connected = session.client.connect();
  const peer = await session.server.accept();
  const violations = [{ field: "hello.resume[0].seq", description: "must be at most 3" }];
  peer.send({
    goodbye: {
      reason: Goodbye_Reason.BAD_FRAME,
      error: { code: Code.OUT_OF_RANGE, reason: Reason.SEQ_IN_FUTURE, message: "beyond", violations },
    },
  });
  await assert.rejects(connected, { code: Code.OUT_OF_RANGE, reason: Reason.SEQ_IN_FUTURE, message: "beyond" });
  assert.equal(session.client.state, "closed");
});

test("a client that stopped can be connected again, and resumes", async () => {
  await using session = await Session.start();
  const { peer } = await session.connect([{ roomId: ROOM, lastSeq: 1 }]);
  peer.send({ events: [sent(2)] });
  await session.delivered(2);
  session.client.close();
  const connected = session.client.connect();
  const next = await session.server.accept();
  assert.equal((await next.hello()).resume[0]?.seq, 2);
  next.welcome([{ roomId: ROOM, lastSeq: 2, outcome: 1 }]);
  await connected;
});

test("waits grow with full jitter from 250 ms to 30 s, and begin anew after a connection that lasted", async () => {
  let luck = 1;
  await using session = await Session.start({ random: () => luck });
  const connected = session.client.connect();
  const waits: (number | undefined)[] = [];
  for (let round = 0; round < 9; round += 1) {
    const waiting = session.state("waiting");
    (await session.server.accept()).drop();
    const { retryInMs } = await waiting;
    waits.push(retryInMs);
    session.clock.advance(retryInMs as number);
  }
  assert.deepEqual(waits, [250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
  luck = 0.5;
  const brief = await session.welcome();
  await connected;
  const afterBrief = session.state("waiting");
  brief.drop();
  assert.equal((await afterBrief).retryInMs, 15_000);
  session.clock.advance(15_000);
  const lasting = await session.welcome();
  session.clock.advance(10_000);
  const afterLasting = session.state("waiting");
  lasting.drop();
  assert.equal((await afterLasting).retryInMs, 125);
});

test("silence of one and a half heartbeats means a dead connection", async () => {
  await using session = await Session.start();
  const { peer } = await session.connect();
  session.clock.advance(20_000);
  assert.equal((await peer.frame()).kind.case, "ping");
  session.clock.advance(17_499);
  assert.equal(session.client.state, "live");
  session.clock.advance(1);
  assert.equal(session.client.state, "waiting");
  await peer.closed;
});

test("a client that has heard, but not said, anything for a while pings; an answer or any frame keeps it live", async () => {
  await using session = await Session.start();
  const { peer } = await session.connect([{ roomId: ROOM, lastSeq: 0 }]);
  for (let seq = 1; seq <= 6; seq += 1) {
    session.clock.advance(10_000);
    peer.send({ events: [sent(seq)] });
    await session.delivered(seq);
  }
  for (const _ of [1, 2]) assert.equal((await peer.frame()).kind.case, "ping");
  assert.equal(session.client.state, "live");
  // Nothing but empty frames, as a server's heartbeat is, keeps it live too.
  peer.send({});
  peer.send({ events: [sent(7)] });
  await session.delivered(7);
  session.clock.advance(37_000);
  assert.equal(session.client.state, "live");
});

test("a connection without a welcome is given up after 15 s", async () => {
  await using session = await Session.start();
  void session.client.connect();
  const peer = await session.server.accept();
  await peer.hello();
  session.clock.advance(15_000);
  assert.equal(session.client.state, "waiting");
  await peer.closed;
});

const nonsense = { "text that is no JSON": "{", "JSON that is no frame": "[]", "binary where text is due": new Uint8Array([255, 255]) };
for (const [what, data] of Object.entries(nonsense)) {
  test(`${what} ends the connection, not the stream`, async () => {
    await using session = await Session.start();
    const { peer } = await session.connect();
    const waiting = session.state("waiting");
    peer.sendRaw(data);
    const { error, retryInMs } = await waiting;
    assert.equal(error?.code, Code.INTERNAL);
    session.clock.advance(retryInMs as number);
    await session.welcome();
  });
}

test("events before the welcome, and a second welcome, are breaches of the contract", async () => {
  await using session = await Session.start();
  void session.client.connect();
  const peer = await session.server.accept();
  const waiting = session.state("waiting");
  peer.send({ events: [sent(1)] });
  const { error, retryInMs } = await waiting;
  assert.equal(error?.code, Code.INTERNAL);
  session.clock.advance(retryInMs as number);
  const second = await session.welcome();
  const again = session.state("waiting");
  second.welcome();
  assert.equal((await again).error?.code, Code.INTERNAL);
  assert.deepEqual(session.seqs, []);
});

test("fields and enum values that a newer server adds are left aside", async () => {
  await using session = await Session.start();
  const { peer } = await session.connect([{ roomId: ROOM, lastSeq: 0 }]);
  peer.sendRaw(
    JSON.stringify({
      later: 1,
      events: [
        { roomId: ROOM, seq: 1, pollOpened: { poll: {} } },
        { roomId: ROOM, seq: 2, roomExited: { cause: "SOMETHING_NEW" } },
      ],
    }),
  );
  await session.delivered(2);
  assert.deepEqual(session.seqs, [1, 2]);
});

test("without a token there is nothing to connect with", async () => {
  await using session = await Session.start();
  using client = new ParlorClient({ url: session.server.url, clock: session.clock });
  await assert.rejects(client.connect(), { code: Code.UNAUTHENTICATED, reason: Reason.TOKEN_MISSING });
  assert.equal(client.state, "closed");
});

test("closing while connecting or waiting leaves nothing behind", async () => {
  await using session = await Session.start();
  const connected = session.client.connect();
  const peer = await session.server.accept();
  session.client.close();
  await assert.rejects(connected, { code: Code.CANCELLED });
  await peer.closed;
  assert.equal(session.clock.step(), false, "no timer is left");

  const again = session.client.connect();
  const second = await session.server.accept();
  const waiting = session.state("waiting");
  second.drop();
  await waiting;
  session.client.close();
  await assert.rejects(again, { code: Code.CANCELLED });
  assert.equal(session.clock.step(), false, "no timer is left");
});

test("another WebSocket can be injected", async () => {
  await using session = await Session.start({ WebSocket: WsWebSocket, format: "proto" });
  const { peer } = await session.connect([{ roomId: ROOM, lastSeq: 0 }]);
  peer.send({ events: [sent(1)] });
  await session.delivered(1);
  await session.dropAndReturn(peer);
  await session.welcome();
});
