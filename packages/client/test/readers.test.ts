import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { create } from "@bufbuild/protobuf";
import { Code, type Event, RoomEnteredSchema, TypingSchema, Welcome_Outcome } from "@parlor/contract";
import type { EventBuffer } from "../src/index.ts";
import { happened, OTHER_ROOM, PEER, ROOM, range, sent } from "./support/events.ts";
import { logOf } from "./support/log.ts";
import { Session } from "./support/session.ts";

const typing = happened(0, { case: "typing", value: create(TypingSchema, { userId: PEER }) });

async function take(events: EventBuffer, count: number): Promise<(number | string | undefined)[]> {
  const taken: Event[] = [];
  while (taken.length < count) taken.push((await events.next()).value as Event);
  return taken.map(({ seq, kind }) => (seq === 0 ? kind.case : seq));
}

test("a loop gets what happens from the moment it was asked for, and ends with close()", async () => {
  await using session = await Session.start();
  const events = session.client.events();
  const { peer } = await session.connect([{ roomId: ROOM, lastSeq: 0 }]);
  peer.send({ events: [sent(1), typing, sent(2)] });
  const seen: (number | string)[] = [];
  for await (const { seq, kind } of events) {
    seen.push(seq || (kind.case as string));
    if (seen.length === 2) session.client.close();
  }
  assert.deepEqual(seen, [1, "typing", 2], "what had come before close() can still be read");
});

test("a loop ends with its signal, or when it is left", async () => {
  await using session = await Session.start();
  const { peer } = await session.connect([{ roomId: ROOM, lastSeq: 0 }]);
  const stop = new AbortController();
  const events = session.client.events({ signal: stop.signal });
  const waiting = events.next();
  stop.abort();
  assert.deepEqual(await waiting, { done: true, value: undefined });
  assert.deepEqual(await session.client.events({ signal: stop.signal }).next(), { done: true, value: undefined });
  peer.send({ events: [sent(1), sent(2)] });
  const left = session.client.events();
  for await (const { seq } of left) {
    assert.equal(seq, 1);
    break;
  }
  assert.deepEqual(await left.next(), { done: true, value: undefined });
});

test("a loop that falls behind is waited for, and what came meanwhile is read from the log at its pace", async () => {
  await using session = await Session.start();
  session.server.answer = logOf(range(1, 9).map((seq) => sent(seq)));
  const events = session.client.events({ buffer: 4 });
  const { peer } = await session.connect([{ roomId: ROOM, lastSeq: 0 }]);
  const sending = session.client.send(ROOM, "mine");
  const { id } = await peer.frame();
  peer.send({ events: [...range(1, 4).map((seq) => sent(seq)), typing, ...range(5, 8).map((seq) => sent(seq))] });
  peer.send({ replies: [{ id, result: { case: "send", value: { message: { seq: 9 } } } }] });
  assert.equal((await sending).message?.seq, 9, "the connection stays, and answers come");
  assert.deepEqual(session.client.cursors, [{ roomId: ROOM, seq: 4 }]);

  assert.deepEqual(await take(events, 1), [1]);
  assert.equal(session.server.requests.length, 0);
  assert.deepEqual(await take(events, 3), [2, 3, 4]);
  peer.send({ events: [sent(9)] });
  assert.deepEqual(await take(events, 5), range(5, 9));
  peer.send({ events: [sent(10)] });
  assert.deepEqual(await take(events, 1), [10]);
  assert.equal(session.client.state, "live");
  assert.deepEqual(session.seqs, range(1, 10), "a listener beside it got everything once");
});

test("ephemeral events are left out of a full buffer", async () => {
  await using session = await Session.start();
  const events = session.client.events({ buffer: 2 });
  const { peer } = await session.connect([{ roomId: ROOM, lastSeq: 0 }]);
  peer.send({ events: [sent(1), typing, typing, typing] });
  peer.send({ replies: [] });
  const marking = session.client.markRead(ROOM, 1);
  const { id } = await peer.frame();
  peer.send({ replies: [{ id, result: { case: "markRead", value: { readSeq: 1 } } }] });
  await marking;
  assert.deepEqual(await take(events, 2), [1, "typing"]);
  peer.send({ events: [sent(2)] });
  assert.deepEqual(await take(events, 1), [2]);
});

test("with whenFull: fail only the slow loop ends", async () => {
  await using session = await Session.start();
  const slow = session.client.events({ buffer: 2, whenFull: "fail" });
  const other = session.client.events();
  const { peer } = await session.connect([{ roomId: ROOM, lastSeq: 0 }]);
  peer.send({ events: range(1, 5).map((seq) => sent(seq)) });
  assert.deepEqual(await take(other, 5), range(1, 5));
  assert.deepEqual(await take(slow, 2), [1, 2]);
  await assert.rejects(slow.next(), { code: Code.RESOURCE_EXHAUSTED });
  assert.deepEqual(await slow.next(), { done: true, value: undefined });
  assert.equal(session.client.state, "live");
});

test("leaving a loop that was waited for lets the others go on", async () => {
  await using session = await Session.start();
  session.server.answer = logOf(range(1, 3).map((seq) => sent(seq)));
  const events = session.client.events({ buffer: 1 });
  const { peer } = await session.connect([{ roomId: ROOM, lastSeq: 0 }]);
  peer.send({ events: range(1, 3).map((seq) => sent(seq)) });
  await session.delivered(1);
  await events.return();
  await session.delivered(3);
  assert.deepEqual(session.seqs, [1, 2, 3]);
});

test("a room that was entered while a loop was waited for begins with its first event", async () => {
  await using session = await Session.start();
  session.server.answer = logOf(range(1, 7).map((seq) => sent(seq)));
  const events = session.client.events({ buffer: 1 });
  const { peer } = await session.connect([{ roomId: OTHER_ROOM, lastSeq: 0 }]);
  const entered = happened(0, { case: "roomEntered", value: create(RoomEnteredSchema, { room: { room: { id: ROOM, lastSeq: 6 } } }) });
  peer.send({ events: [sent(1, "x", { roomId: OTHER_ROOM }), entered, sent(6), sent(7)] });
  assert.deepEqual(await take(events, 4), [1, "roomEntered", 6, 7]);
});

for (const waiting of [true, false]) {
  test(`a gap comes at its place among the events (${waiting ? "loop waits" : "loop is behind"})`, async () => {
    await using session = await Session.start({ resume: [{ roomId: ROOM, seq: 1 }] });
    const seen: string[] = [];
    const told = session.client.events({ onGap: ({ from, to }) => seen.push(`${from}-${to}`) });
    const untold = session.client.events();
    const next = waiting ? ([told.next(), untold.next()] as const) : undefined;
    next?.[1].catch(() => undefined);
    const { peer } = await session.connect([
      { roomId: ROOM, lastSeq: 5, outcome: Welcome_Outcome.GAP, gap: { roomId: ROOM, from: 2, to: 5 } },
    ]);
    peer.send({ events: [sent(6)] });
    await session.delivered(6);
    seen.push(String((await (next?.[0] ?? told.next())).value?.seq));
    assert.deepEqual(seen, ["2-5", "6"]);
    await assert.rejects(next?.[1] ?? untold.next(), { code: Code.DATA_LOSS });
    assert.deepEqual(await untold.next(), { done: true, value: undefined });
    assert.equal(session.client.state, "live");
  });
}

test("a listener that was taken away hears nothing more", async () => {
  await using session = await Session.start();
  const heard: number[] = [];
  const off = session.client.on("message", ({ seq }) => heard.push(seq));
  const { peer } = await session.connect([{ roomId: ROOM, lastSeq: 0 }]);
  peer.send({ events: [sent(1), sent(2)] });
  await session.delivered(2);
  off();
  peer.send({ events: [sent(3)] });
  await session.delivered(3);
  assert.deepEqual(heard, [1, 2]);
});

// In a process of its own, because the test runner takes uncaught errors for failures of its own.
test("a listener that throws disturbs nobody, and its error is not hidden", () => {
  const { stdout } = spawnSync(process.execPath, [fileURLToPath(new URL("support/throwing-listener.ts", import.meta.url))], {
    encoding: "utf8",
  });
  assert.deepEqual(stdout.trim().split("\n"), ["others hear 1", "others hear 2", "uncaught: broken 1", "uncaught: broken 2"]);
});
