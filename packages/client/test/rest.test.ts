import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  Code,
  ErrorSchema,
  encodeJson,
  ListMessagesResponseSchema,
  ParlorError,
  Presence_Status,
  Reason,
  Room_Visibility,
  SendMessageResponseSchema,
  unaryMethods,
} from "@parlor/contract";
import { ParlorClient } from "../src/index.ts";
import { ROOM } from "./support/events.ts";
import { HastyClock } from "./support/hasty-clock.ts";
import { ManualClock } from "./support/manual-clock.ts";
import { type HttpAnswer, WireServer } from "./support/wire-server.ts";

const EMPTY: HttpAnswer = { body: "{}" };

function refusal(status: number, error: MessageInitShape<typeof ErrorSchema>, headers: Record<string, string> = {}): HttpAnswer {
  return { status, headers, body: encodeJson(ErrorSchema, create(ErrorSchema, error)) };
}

/** Answers in turn; the last one for ever. */
function inTurn(...answers: (HttpAnswer | undefined)[]): () => HttpAnswer | undefined {
  return () => (answers.length > 1 ? answers.shift() : answers[0]);
}

async function start(): Promise<{ server: WireServer; client: ParlorClient; clock: HastyClock } & AsyncDisposable> {
  const server = await WireServer.start();
  const clock = new HastyClock();
  const client = new ParlorClient({ url: `${server.url}/`, token: "secret", clock, random: () => 0.5 });
  return { server, client, clock, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

test("every method of the contract that answers one request is a function of the client", async () => {
  await using t = await start();
  const { auth, users, rooms, messages, presence } = t.client;
  const names = [auth, users, rooms, messages, presence].flatMap((service) => Object.keys(service));
  assert.deepEqual(names.sort(), unaryMethods.map((method) => method.localName).sort());
});

test("calls are HTTP requests as the contract says, and answers are its messages", async () => {
  await using t = await start();
  t.server.answer = ({ line }) => {
    if (!line.startsWith("GET")) return EMPTY;
    return {
      body: encodeJson(
        ListMessagesResponseSchema,
        create(ListMessagesResponseSchema, { messages: [{ id: "m", seq: 7, text: "hi" }], nextPageToken: "next" }),
      ),
    };
  };
  const page = await t.client.messages.listMessages({ roomId: ROOM, beforeSeq: 9, pageSize: 2 });
  assert.deepEqual([page.messages[0]?.seq, page.messages[0]?.text, page.nextPageToken], [7, "hi", "next"]);
  await t.client.rooms.createRoom({ name: "Den", visibility: Room_Visibility.PRIVATE });
  await t.client.messages.addReaction({ roomId: ROOM, messageId: "m", emoji: "👍" });
  await t.client.users.getMe();
  assert.deepEqual(
    t.server.requests.map(({ line, token, body }) => [line, token, body]),
    [
      [`GET /api/v1/rooms/${ROOM}/messages?before_seq=9&page_size=2`, "secret", undefined],
      ["POST /api/v1/rooms", "secret", { name: "Den", visibility: "PRIVATE" }],
      [`PUT /api/v1/rooms/${ROOM}/messages/m/reactions/%F0%9F%91%8D`, "secret", undefined],
      ["GET /api/v1/users/me", "secret", undefined],
    ],
  );
});

test("methods that anyone may call carry no token", async () => {
  await using t = await start();
  t.server.answer = () => EMPTY;
  await t.client.auth.logIn({ username: "ada", password: "x" });
  assert.equal(t.server.requests[0]?.token, undefined);
});

test("a refusal is the server's error, with every violated field", async () => {
  await using t = await start();
  const violations = [
    { field: "name", description: "must not be empty" },
    { field: "topic", description: "must be at most 1024 characters" },
  ];
  t.server.answer = () =>
    refusal(400, { code: Code.INVALID_ARGUMENT, reason: Reason.INVALID_FIELDS, message: "wrong", violations, requestId: "r1" });
  await assert.rejects(t.client.rooms.createRoom({}), (error: unknown) => {
    assert.ok(error instanceof ParlorError);
    assert.deepEqual(
      [error.code, error.reason, error.message, error.requestId],
      [Code.INVALID_ARGUMENT, Reason.INVALID_FIELDS, "wrong", "r1"],
    );
    assert.deepEqual(
      error.violations.map(({ field }) => field),
      ["name", "topic"],
    );
    return true;
  });
  assert.equal(t.server.requests.length, 1);
});

test("a method that is safe to repeat is tried again with full jitter, at most four times", async () => {
  await using t = await start();
  t.server.answer = inTurn(
    undefined,
    { status: 503, body: "<html>" },
    refusal(503, { code: Code.UNAVAILABLE, reason: Reason.STORE_UNAVAILABLE }),
    EMPTY,
  );
  await t.client.rooms.getRoom({ roomId: ROOM });
  assert.deepEqual(t.clock.waits, [100, 200, 400]);
  t.server.answer = () => undefined;
  await assert.rejects(t.client.rooms.getRoom({ roomId: ROOM }), { code: Code.UNAVAILABLE });
  assert.equal(t.server.requests.length, 8);
});

test("it is not tried before the time that the server names, in its error or its header", async () => {
  await using t = await start();
  t.server.answer = inTurn(
    refusal(429, { code: Code.RESOURCE_EXHAUSTED, reason: Reason.RATE_LIMITED, retryAfterMs: 700 }, { "retry-after": "1" }),
    { status: 429, headers: { "retry-after": "2" }, body: "slow down" },
    { status: 503, headers: { "retry-after": new Date(t.clock.now() + 4000).toUTCString() }, body: "" },
    EMPTY,
  );
  await t.client.rooms.getRoom({ roomId: ROOM });
  assert.deepEqual(t.clock.waits, [800, 2100, 4100]);
  t.server.answer = () => refusal(429, { code: Code.RESOURCE_EXHAUSTED, reason: Reason.RATE_LIMITED, retryAfterMs: 60_000 });
  await assert.rejects(t.client.rooms.getRoom({ roomId: ROOM }), { retryAfterMs: 60_000 });
});

test("what is not safe to repeat, or cannot get better, is tried once", async () => {
  await using t = await start();
  t.server.answer = () => undefined;
  await assert.rejects(t.client.rooms.createRoom({ name: "x" }), { code: Code.UNAVAILABLE });
  t.server.answer = () => refusal(409, { code: Code.FAILED_PRECONDITION, reason: Reason.ROOM_ARCHIVED });
  await assert.rejects(t.client.rooms.joinRoom({ roomId: ROOM }), { reason: Reason.ROOM_ARCHIVED });
  t.server.answer = () => refusal(500, { code: Code.INTERNAL, reason: Reason.FAULT });
  await assert.rejects(t.client.rooms.joinRoom({ roomId: ROOM }), { reason: Reason.FAULT });
  assert.equal(t.server.requests.length, 3);
});

test("a send is tried again under one key, made here if the caller gave none", async () => {
  await using t = await start();
  const answer = { body: encodeJson(SendMessageResponseSchema, create(SendMessageResponseSchema, { duplicate: true })) };
  t.server.answer = inTurn(undefined, answer);
  assert.equal((await t.client.messages.sendMessage({ roomId: ROOM, text: "x" })).duplicate, true);
  await t.client.messages.sendMessage({ roomId: ROOM, text: "x", clientMessageId: "mine" });
  const keys = t.server.requests.map(({ body }) => (body as { clientMessageId: string }).clientMessageId);
  assert.equal(keys[0], keys[1]);
  assert.equal(keys[0]?.length, 36);
  assert.equal(keys[2], "mine");
});

test("a call ends with its signal or its time", async () => {
  await using t = await start();
  const arrived = Promise.withResolvers<void>();
  t.server.answer = () => {
    arrived.resolve();
    return new Promise(() => undefined);
  };
  const stop = new AbortController();
  const aborted = t.client.users.getMe({}, { signal: stop.signal });
  await arrived.promise;
  stop.abort();
  await assert.rejects(aborted, { code: Code.CANCELLED });
  await assert.rejects(t.client.users.getMe({}, { signal: AbortSignal.abort() }), { code: Code.CANCELLED });
  await assert.rejects(t.client.users.getMe({}, { signal: AbortSignal.timeout(1) }), {
    code: Code.DEADLINE_EXCEEDED,
    reason: Reason.TIMEOUT,
  });
  const slow = t.client.presence.setPresence({ status: Presence_Status.AWAY });
  const asked = t.server.requests.length;
  while (t.server.requests.length === asked) await new Promise(setImmediate);
  t.clock.advance(30_000);
  await assert.rejects(slow, { code: Code.DEADLINE_EXCEEDED, reason: Reason.TIMEOUT });
});

test("a signal ends the wait between two tries", async () => {
  const server = await WireServer.start();
  await using _ = server;
  const clock = new ManualClock();
  const client = new ParlorClient({ url: server.url, token: "t", clock });
  const stop = new AbortController();
  server.answer = () => {
    setImmediate(() => setImmediate(() => stop.abort()));
    return { status: 503, body: "" };
  };
  await assert.rejects(client.users.getMe({}, { signal: stop.signal }), { code: Code.CANCELLED });
  assert.equal(clock.step(), false, "no timer is left");
});

test("what is not Parlor's answer is a clear error", async () => {
  await using t = await start();
  t.server.answer = () => ({ body: "<html>welcome to the hotel network</html>" });
  await assert.rejects(t.client.users.getMe(), { code: Code.INTERNAL });
  t.server.answer = () => ({ status: 401, body: "null" });
  await assert.rejects(t.client.users.getMe(), { code: Code.UNAUTHENTICATED });
  assert.throws(() => new ParlorClient({ url: "ftp://example.org" }), TypeError);
});

test("a path in front of the interface is kept", async () => {
  await using t = await start();
  t.server.answer = () => EMPTY;
  await new ParlorClient({ url: `${t.server.url}/chat/`, token: "t" }).users.getMe();
  assert.equal(t.server.requests[0]?.line, "GET /chat/api/v1/users/me");
});
