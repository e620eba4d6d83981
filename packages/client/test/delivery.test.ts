import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { type Gap, RoomEnteredSchema, RoomExited_Cause, RoomExitedSchema, TypingSchema, Welcome_Outcome } from "@parlor/contract";
import { happened, OTHER_ROOM, PEER, ROOM, range, sent } from "./support/events.ts";
import { logOf } from "./support/log.ts";
import { formats, Session } from "./support/session.ts";

for (const format of formats) {
  test(`${format}: events and answers of one frame are all delivered, in order`, async () => {
    await using session = await Session.start({ format });
    const { peer, welcome } = await session.connect([{ roomId: ROOM, lastSeq: 0 }]);
    assert.equal(peer.subprotocol, `parlor.v1.${format}`);
    assert.equal(welcome.rooms[0]?.roomId, ROOM);
    const sending = session.client.send(ROOM, "mine");
    const { id } = await peer.frame();
    peer.send({
      events: [...range(1, 3).map((seq) => sent(seq)), happened(0, { case: "typing", value: create(TypingSchema, { userId: PEER }) })],
      replies: [{ id, result: { case: "send", value: { message: { id: "m", seq: 3 } } } }],
    });
    const { message } = await sending;
    assert.equal(message?.seq, 3);
    assert.deepEqual(session.seqs, [1, 2, 3]);
    assert.equal(session.events.at(-1)?.kind.case, "typing");
  });
}

test("the first frame may bring events beside the welcome", async () => {
  await using session = await Session.start();
  await session.connect([{ roomId: ROOM, lastSeq: 4 }], { events: [sent(5)] });
  await session.delivered(5);
  assert.deepEqual(session.client.cursors, [{ roomId: ROOM, seq: 5 }]);
});

test("doubled events are delivered once", async () => {
  await using session = await Session.start();
  const { peer } = await session.connect([{ roomId: ROOM, lastSeq: 0 }]);
  peer.send({ events: [sent(1), sent(1), sent(2), sent(1)] });
  peer.send({ events: [sent(2), sent(3)] });
  await session.delivered(3);
  assert.deepEqual(session.seqs, [1, 2, 3]);
});

test("after a reconnect the hello names what was delivered, and a repeat at the seam is dropped", async () => {
  await using session = await Session.start({ resume: [{ roomId: OTHER_ROOM, seq: 7 }] });
  const connected = session.client.connect();
  const first = await session.server.accept();
  const hello = await first.hello();
  assert.equal(hello.token, "token");
  assert.deepEqual(
    hello.resume.map(({ roomId, seq }) => [roomId, seq]),
    [[OTHER_ROOM, 7]],
  );
  first.welcome([
    { roomId: ROOM, lastSeq: 10 },
    { roomId: OTHER_ROOM, lastSeq: 7, outcome: Welcome_Outcome.RECOVERED },
  ]);
  await connected;
  first.send({ events: [sent(11), sent(12)] });
  await session.delivered(12);

  await session.dropAndReturn(first);
  const second = await session.server.accept();
  const again = await second.hello();
  assert.deepEqual(
    new Map(again.resume.map(({ roomId, seq }) => [roomId, seq])),
    new Map([
      [ROOM, 12],
      [OTHER_ROOM, 7],
    ]),
  );
  second.welcome(
    [
      { roomId: ROOM, lastSeq: 14, outcome: Welcome_Outcome.RECOVERED },
      { roomId: OTHER_ROOM, lastSeq: 7, outcome: Welcome_Outcome.RECOVERED },
    ],
    { events: [sent(12), sent(13)] },
  );
  second.send({ events: [sent(14)] });
  await session.delivered(14);
  assert.deepEqual(session.seqs, [11, 12, 13, 14]);
});

test("a connection that breaks in the middle of a backfill goes on where delivery stopped", async () => {
  await using session = await Session.start();
  const { peer } = await session.connect([{ roomId: ROOM, lastSeq: 1 }]);
  await session.dropAndReturn(peer);
  const second = await session.welcome([{ roomId: ROOM, lastSeq: 6, outcome: Welcome_Outcome.RECOVERED }], { events: [sent(2), sent(3)] });
  await session.delivered(3);
  await session.dropAndReturn(second);
  const third = await session.server.accept();
  assert.equal((await third.hello()).resume[0]?.seq, 3);
  third.welcome([{ roomId: ROOM, lastSeq: 6, outcome: Welcome_Outcome.RECOVERED }], { events: range(4, 6).map((seq) => sent(seq)) });
  await session.delivered(6);
  assert.deepEqual(session.seqs, range(2, 6));
});

test("a hole is filled from the log, and live events meanwhile keep their place", async () => {
  await using session = await Session.start();
  const asked = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  const log = logOf(
    range(1, 9).map((seq) => sent(seq)),
    5,
  );
  session.server.answer = async (request) => {
    asked.resolve();
    await go.promise;
    return log(request);
  };
  const { peer } = await session.connect([{ roomId: ROOM, lastSeq: 0 }]);
  peer.send({ events: [sent(1), sent(5)] });
  await asked.promise;
  const overtaken = session.next("event", ({ roomId }) => roomId === OTHER_ROOM);
  peer.send({ events: [sent(6), sent(7), sent(1, "elsewhere", { roomId: OTHER_ROOM })] });
  await overtaken;
  assert.deepEqual(session.seqs, [1, 1], "another room does not wait");
  go.resolve();
  // The log has gone on to 9 meanwhile; what the stream brings of that later is a repeat.
  await session.delivered(9);
  peer.send({ events: [sent(8), sent(9), sent(10)] });
  await session.delivered(10);
  assert.deepEqual(
    session.events.filter(({ roomId }) => roomId === ROOM).map(({ seq }) => seq),
    range(1, 10),
  );
});

test("a fill that fails makes the connection anew, and resuming brings what is missing", async () => {
  await using session = await Session.start();
  session.server.answer = () => ({ status: 400, body: JSON.stringify({ code: "INVALID_ARGUMENT", reason: "MALFORMED", message: "no" }) });
  const { peer } = await session.connect([{ roomId: ROOM, lastSeq: 0 }]);
  const waiting = session.state("waiting");
  peer.send({ events: [sent(3)] });
  const { retryInMs, error } = await waiting;
  assert.equal(error?.message, "no");
  session.clock.advance(retryInMs as number);
  await session.welcome([{ roomId: ROOM, lastSeq: 3, outcome: Welcome_Outcome.RECOVERED }], {
    events: range(1, 3).map((seq) => sent(seq)),
  });
  await session.delivered(3);
  assert.deepEqual(session.seqs, [1, 2, 3]);
});

test("a gap is told, and delivery goes on behind it", async () => {
  await using session = await Session.start({ resume: [{ roomId: ROOM, seq: 3 }] });
  const gaps: Gap[] = [];
  session.client.on("gap", (gap) => gaps.push(gap));
  const { peer } = await session.connect([
    { roomId: ROOM, lastSeq: 900, outcome: Welcome_Outcome.GAP, gap: { roomId: ROOM, from: 4, to: 900 } },
  ]);
  peer.send({ events: [sent(901)] });
  await session.delivered(901);
  assert.deepEqual(
    gaps.map(({ roomId, from, to }) => [roomId, from, to]),
    [[ROOM, 4, 900]],
  );
  assert.deepEqual(session.seqs, [901]);
});

test("a gap that is told after the welcome comes at its place, and no further than what is missing", async () => {
  await using session = await Session.start({ resume: [{ roomId: ROOM, seq: 3 }] });
  const gaps: Gap[] = [];
  session.client.on("gap", (gap) => gaps.push(gap));
  const { peer } = await session.connect([{ roomId: ROOM, lastSeq: 30, outcome: Welcome_Outcome.RECOVERED }]);
  peer.send({ events: [sent(4), sent(5)] });
  peer.send({ gaps: [{ roomId: ROOM, from: 5, to: 20 }] });
  peer.send({ gaps: [{ roomId: ROOM, from: 1, to: 20 }], events: [sent(21)] });
  await session.delivered(21);
  assert.deepEqual(session.seqs, [4, 5, 21]);
  assert.deepEqual(
    gaps.map(({ roomId, from, to }) => [roomId, from, to]),
    [[ROOM, 6, 20]],
  );
});

test("with fillGaps a gap is read from the log, page by page, before what is live", async () => {
  await using session = await Session.start({ resume: [{ roomId: ROOM, seq: 3 }], fillGaps: true });
  session.client.on("gap", () => assert.fail("no gap is left to tell of"));
  session.server.answer = logOf(
    range(1, 31).map((seq) => sent(seq)),
    10,
  );
  const { peer } = await session.connect([
    { roomId: ROOM, lastSeq: 30, outcome: Welcome_Outcome.GAP, gap: { roomId: ROOM, from: 4, to: 30 } },
  ]);
  peer.send({ events: [sent(31)] });
  await session.delivered(31);
  assert.deepEqual(session.seqs, range(4, 31));
  assert.equal(session.server.requests.length, 3);
});

test("what is gone from the log itself is told as a gap", async () => {
  await using session = await Session.start({ resume: [{ roomId: ROOM, seq: 3 }], fillGaps: true });
  session.server.answer = logOf(range(8, 10).map((seq) => sent(seq)));
  const told = session.next("gap");
  await session.connect([{ roomId: ROOM, lastSeq: 10, outcome: Welcome_Outcome.GAP, gap: { roomId: ROOM, from: 4, to: 10 } }]);
  const { from, to } = await told;
  assert.deepEqual([from, to], [4, 7]);
  await session.delivered(10);
  assert.deepEqual(session.seqs, [8, 9, 10]);
});

test("rooms that the hello has no space for are caught up from the log", async () => {
  const resume = range(1, 400).map((index) => ({ roomId: `01900000-0000-7000-8000-${index.toString().padStart(12, "0")}`, seq: 1 }));
  await using session = await Session.start({ resume });
  session.server.answer = logOf([sent(2), sent(3)]);
  const connected = session.client.connect();
  const peer = await session.server.accept();
  const named = new Set((await peer.hello()).resume.map(({ roomId }) => roomId));
  assert.ok(named.size > 200 && named.size < 400, `${named.size} rooms in 16 KiB`);
  assert.ok(!named.has(ROOM), "the rooms that moved last are named");
  peer.welcome(
    resume.map(({ roomId }) => ({
      roomId,
      lastSeq: roomId === ROOM ? 3 : 1,
      outcome: named.has(roomId) ? Welcome_Outcome.RECOVERED : Welcome_Outcome.OUTCOME_UNSPECIFIED,
    })),
  );
  await connected;
  await session.delivered(3);
  assert.deepEqual(session.seqs, [2, 3]);
});

test("rooms are entered and exited as the stream says", async () => {
  await using session = await Session.start();
  const { peer } = await session.connect();
  const entered = session.next("roomEntered");
  peer.send({
    events: [happened(0, { case: "roomEntered", value: create(RoomEnteredSchema, { room: { room: { id: ROOM, lastSeq: 6 } } }) })],
  });
  assert.equal((await entered).room?.room?.lastSeq, 6);
  assert.deepEqual(session.client.cursors, [{ roomId: ROOM, seq: 6 }]);
  // Some servers count the entry itself in the room's last seq and send it all the same.
  peer.send({ events: [sent(6), sent(7)] });
  await session.delivered(7);
  const exited = session.next("roomExited");
  peer.send({ events: [happened(0, { case: "roomExited", value: create(RoomExitedSchema, { cause: RoomExited_Cause.REMOVED }) })] });
  assert.deepEqual(await exited, { roomId: ROOM, cause: RoomExited_Cause.REMOVED });
  assert.deepEqual(session.client.cursors, []);
  assert.deepEqual(session.seqs, [6, 7]);
});

test("rooms that were entered, exited or read on another device while away are told of", async () => {
  await using session = await Session.start();
  const rooms = { gone: OTHER_ROOM, kept: ROOM, fresh: "01900000-0000-7000-8000-000000000003" };
  const { peer } = await session.connect([
    { roomId: rooms.gone, lastSeq: 2 },
    { roomId: rooms.kept, lastSeq: 5, readSeq: 1 },
  ]);
  await session.dropAndReturn(peer);
  await session.welcome(
    [
      { roomId: rooms.gone, outcome: Welcome_Outcome.NOT_EXISTING },
      { roomId: rooms.kept, lastSeq: 5, readSeq: 4, outcome: Welcome_Outcome.RECOVERED },
      { roomId: rooms.fresh, lastSeq: 9 },
    ],
    { events: [sent(6)] },
  );
  await session.delivered(6);
  const told = session.events.map(({ roomId, kind }) => [roomId, kind.case]);
  assert.deepEqual(told, [
    [rooms.kept, "readMarked"],
    [rooms.fresh, "roomEntered"],
    [rooms.gone, "roomExited"],
    [rooms.kept, "messageSent"],
  ]);
  assert.deepEqual(
    session.client.cursors.map(({ roomId, seq }) => [roomId, seq]),
    [
      [rooms.fresh, 9],
      [rooms.kept, 6],
    ],
  );
});

test("a listener that closes the client gets nothing more", async () => {
  await using session = await Session.start();
  const { peer } = await session.connect([{ roomId: ROOM, lastSeq: 0 }]);
  session.client.on("message", ({ seq }) => seq === 2 && session.client.close());
  peer.send({ events: range(1, 5).map((seq) => sent(seq)) });
  await session.state("closed");
  await peer.closed;
  assert.deepEqual(session.seqs, [1, 2]);
});
