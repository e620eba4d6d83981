import assert from "node:assert/strict";
import { test } from "node:test";
import { type ClientFrame, Code, ParlorError, Presence_Status, Reason, type SendMessageRequest } from "@parlor/contract";
import { OTHER_ROOM, ROOM, range } from "./support/events.ts";
import { formats, Session } from "./support/session.ts";
import type { Peer } from "./support/wire-server.ts";

function sendOf({ kind }: ClientFrame): SendMessageRequest {
  assert.equal(kind.case, "send");
  return kind.value as SendMessageRequest;
}

function acknowledge(peer: Peer, { id, kind }: ClientFrame, seq: number, duplicate = false): void {
  const { text, clientMessageId } = kind.value as SendMessageRequest;
  peer.send({ replies: [{ id, result: { case: "send", value: { duplicate, message: { id: `m${seq}`, seq, text, clientMessageId } } } }] });
}

function refuse(peer: Peer, { id }: ClientFrame, code: Code, reason: Reason, retryAfterMs?: number): void {
  const error = retryAfterMs === undefined ? { code, reason } : { code, reason, retryAfterMs };
  peer.send({ replies: [{ id, result: { case: "error", value: error } }] });
}

for (const format of formats) {
  test(`${format}: a send whose connection broke before the server had it is sent again under the same key`, async () => {
    await using session = await Session.start({ format });
    const { peer } = await session.connect();
    const sending = session.client.send(ROOM, "hello");
    const first = sendOf(await peer.frame());
    assert.match(first.clientMessageId, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    await session.dropAndReturn(peer);
    const second = await session.welcome();
    const frame = await second.frame();
    assert.deepEqual(sendOf(frame), first);
    acknowledge(second, frame, 1);
    assert.deepEqual([(await sending).message?.seq, (await sending).duplicate], [1, false]);
  });

  test(`${format}: a send whose answer was lost is answered as a duplicate`, async () => {
    await using session = await Session.start({ format });
    const { peer } = await session.connect();
    const sending = session.client.send(ROOM, "hello", { clientMessageId: "mine" });
    const lost = await peer.frame();
    const waiting = session.state("waiting");
    // The server has stored it; its answer gets no further than the network.
    peer.drop();
    session.clock.advance((await waiting).retryInMs as number);
    const second = await session.welcome();
    const again = await second.frame();
    assert.equal(sendOf(again).clientMessageId, "mine");
    assert.notEqual(again.id, lost.id);
    acknowledge(second, again, 4, true);
    acknowledge(second, again, 5, true);
    const { message, duplicate } = await sending;
    assert.deepEqual([message?.seq, duplicate], [4, true]);
  });
}

test("sends of one room go one after the other, those of another room beside them", async () => {
  await using session = await Session.start();
  const { peer } = await session.connect();
  const order: string[] = [];
  const send = (roomId: string, text: string) => session.client.send(roomId, text).then(() => order.push(text));
  const sends = [send(ROOM, "a1"), send(ROOM, "a2"), send(ROOM, "a3"), send(OTHER_ROOM, "b1")];
  const a1 = await peer.frame();
  const b1 = await peer.frame();
  assert.deepEqual([sendOf(a1).text, sendOf(b1).text], ["a1", "b1"]);
  acknowledge(peer, b1, 1);
  acknowledge(peer, a1, 1);
  for (const [text, seq] of [
    ["a2", 2],
    ["a3", 3],
  ] as const) {
    const frame = await peer.frame();
    assert.equal(sendOf(frame).text, text);
    acknowledge(peer, frame, seq);
  }
  await Promise.all(sends);
  assert.deepEqual(order, ["b1", "a1", "a2", "a3"]);
});

test("what was not answered goes out in its order after a reconnect", async () => {
  await using session = await Session.start();
  const { peer } = await session.connect();
  const sends = ["1", "2", "3"].map((text) => session.client.send(ROOM, text));
  await peer.frame();
  await session.dropAndReturn(peer);
  const second = await session.welcome();
  for (const [index, text] of ["1", "2", "3"].entries()) {
    const frame = await second.frame();
    assert.equal(sendOf(frame).text, text);
    acknowledge(second, frame, index + 1);
  }
  assert.deepEqual(
    (await Promise.all(sends)).map(({ message }) => message?.seq),
    [1, 2, 3],
  );
});

test("what is sent before the stream is live goes out with the welcome", async () => {
  await using session = await Session.start();
  const connected = session.client.connect();
  const sending = session.client.send(ROOM, "early");
  const peer = await session.server.accept();
  await peer.hello();
  peer.welcome();
  await connected;
  const frame = await peer.frame();
  acknowledge(peer, frame, 1);
  assert.equal((await sending).message?.text, "early");
});

test("a refusal is a typed error, and the next send goes out", async () => {
  await using session = await Session.start();
  const { peer } = await session.connect();
  const muted = session.client.send(ROOM, "muted");
  const next = session.client.send(ROOM, "next");
  refuse(peer, await peer.frame(), Code.PERMISSION_DENIED, Reason.MUTED);
  await assert.rejects(muted, { name: "ParlorError", code: Code.PERMISSION_DENIED, reason: Reason.MUTED });
  const frame = await peer.frame();
  acknowledge(peer, frame, 1);
  assert.equal((await next).message?.text, "next");
});

test("over its rate, a send waits as long as the server says and is sent again, before the next one", async () => {
  await using session = await Session.start();
  const { peer } = await session.connect();
  const sends = [session.client.send(ROOM, "1"), session.client.send(ROOM, "2")];
  const first = await peer.frame();
  refuse(peer, first, Code.RESOURCE_EXHAUSTED, Reason.RATE_LIMITED, 1000);
  await answered(session, peer);
  session.clock.advance(999);
  await answered(session, peer);
  session.clock.advance(201);
  const again = await peer.frame();
  assert.deepEqual(sendOf(again), sendOf(first));
  acknowledge(peer, again, 1);
  acknowledge(peer, await peer.frame(), 2);
  assert.deepEqual(
    (await Promise.all(sends)).map(({ message }) => message?.seq),
    [1, 2],
  );
});

/** Everything that the server sent so far has been read, and nothing but this question was said to it. */
async function answered(session: Session, peer: Peer): Promise<void> {
  const reading = session.client.markRead(OTHER_ROOM, 1);
  const frame = await peer.frame();
  assert.equal(frame.kind.case, "markRead");
  peer.send({ replies: [{ id: frame.id, result: { case: "markRead", value: { readSeq: 1 } } }] });
  await reading;
}

test("trying again ends after four refusals; slow mode is not waited out", async () => {
  await using session = await Session.start();
  const { peer } = await session.connect();
  const sending = session.client.send(ROOM, "1");
  for (const round of range(1, 4)) {
    refuse(peer, await peer.frame(), Code.UNAVAILABLE, Reason.STORE_UNAVAILABLE);
    if (round < 4) await answered(session, peer);
    session.clock.advance(5000);
  }
  await assert.rejects(sending, { code: Code.UNAVAILABLE, reason: Reason.STORE_UNAVAILABLE });
  const slow = session.client.send(ROOM, "2");
  refuse(peer, await peer.frame(), Code.RESOURCE_EXHAUSTED, Reason.SLOW_MODE, 2000);
  await assert.rejects(slow, { reason: Reason.SLOW_MODE, retryAfterMs: 2000 });
});

test("the outbox is bounded", async () => {
  await using session = await Session.start({ maxPending: 2 });
  const connected = session.client.connect();
  const first = session.client.send(ROOM, "1");
  const second = session.client.send(OTHER_ROOM, "2");
  await assert.rejects(session.client.send(ROOM, "3"), { code: Code.RESOURCE_EXHAUSTED });
  const peer = await session.welcome();
  await connected;
  acknowledge(peer, await peer.frame(), 1);
  await first;
  acknowledge(peer, await peer.frame(), 1);
  await second;
});

test("a frame that is too large is refused here, and nothing else is held up", async () => {
  await using session = await Session.start();
  const { peer } = await session.connect();
  await assert.rejects(session.client.send(ROOM, "x".repeat(70_000)), { reason: Reason.TOO_LARGE });
  const sending = session.client.send(ROOM, "small");
  acknowledge(peer, await peer.frame(), 1);
  await sending;
});

test("closing rejects what waits with a typed error, once; a closed stream takes nothing", async () => {
  await using session = await Session.start();
  const { peer } = await session.connect();
  const settled: unknown[] = [];
  for (const text of ["1", "2"]) void session.client.send(ROOM, text).catch((error: unknown) => settled.push(error));
  await peer.frame();
  session.client.close();
  assert.equal(await peer.closed, 1000);
  assert.equal(settled.length, 2);
  for (const error of settled) assert.ok(error instanceof ParlorError && error.code === Code.CANCELLED);
  assert.equal(session.client.state, "closed");
  await assert.rejects(session.client.send(ROOM, "3"), { code: Code.CANCELLED });
});

test("read marker, presence and typing", async () => {
  await using session = await Session.start();
  session.client.typing(ROOM);
  const { peer } = await session.connect();
  const reading = session.client.markRead(ROOM, 5);
  const marked = await peer.frame();
  assert.deepEqual([marked.kind.case, (marked.kind.value as { seq: number }).seq], ["markRead", 5]);
  peer.send({ replies: [{ id: marked.id, result: { case: "markRead", value: { readSeq: 7 } } }] });
  assert.equal(await reading, 7);

  const appearing = session.client.setPresence(Presence_Status.BUSY);
  const presence = await peer.frame();
  assert.equal(presence.kind.case, "setPresence");
  peer.send({ replies: [{ id: presence.id, result: { case: "setPresence", value: { presence: { status: Presence_Status.BUSY } } } }] });
  assert.equal((await appearing).status, Presence_Status.BUSY);

  session.client.typing(ROOM);
  const typing = await peer.frame();
  assert.deepEqual([typing.id, typing.kind.case, (typing.kind.value as { roomId: string }).roomId], [0, "typing", ROOM]);
});

test("an answer of another kind breaks the contract", async () => {
  await using session = await Session.start();
  const { peer } = await session.connect();
  const sending = session.client.send(ROOM, "1");
  const { id } = await peer.frame();
  peer.send({ replies: [{ id, result: { case: "pong", value: {} } }] });
  await assert.rejects(sending, { code: Code.INTERNAL });
});
