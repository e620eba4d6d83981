// Limits, as the whole server keeps them: across protocols, with a time to come back, and for the offender alone.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { create, type DescMethod, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { ApiToken_Scope, AuthService, MessagesService, Reason, RoomsService, UsersService } from "@parlor/contract";
import { clientDriver } from "../support/drivers/client.ts";
import type { Person } from "../support/drivers/driver.ts";
import { newName } from "../support/party.ts";
import { password } from "../support/running.ts";
import { RawSocket } from "../transports/raw-socket.ts";
import { type Target, target } from "./target.ts";
import { callGrpc, callRest, grpcPath, HostileStream, type Outcome } from "./voices.ts";

let server: Target;
let mallory: Person;
let roomId: string;

before(async () => {
  server = await target({
    PARLOR_RATE_LIMITS: "on",
    PARLOR_SIGN_UPS_PER_MINUTE: "20",
    PARLOR_SENDS_PER_SECOND: "1",
    PARLOR_CALLS_PER_SECOND: "1",
    PARLOR_CONNECTIONS_PER_ADDRESS: "300",
    PARLOR_CONNECTIONS_PER_USER: "4",
  });
  mallory = await clientDriver(server.url, "json").signUp(newName());
  const { room } = await mallory.call(RoomsService.method.createRoom, { name: "Here" });
  roomId = room?.id ?? "";
});
after(async () => {
  mallory.close();
  await server[Symbol.asyncDispose]();
});

function viaGrpc<M extends DescMethod>(method: M, request: MessageInitShape<M["input"]>, token: string): Promise<Outcome> {
  return callGrpc(server.port, grpcPath(method), toBinary(method.input, create(method.input, request)), token);
}

/**
 * How many calls pass until the limit is met, which has been reached already: each second one more is allowed. A bucket of its own
 * would let twenty pass at least.
 */
async function allowedNow(call: () => Promise<Outcome>): Promise<number> {
  for (let allowed = 0; allowed < 10; allowed++) {
    const { reason } = await call();
    if (reason === "RATE_LIMITED") return allowed;
    assert.equal(reason, "OK");
  }
  return assert.fail("not limited");
}

describe("limits", () => {
  test("failed log-ins are counted over all protocols, and say when to come back", async () => {
    const { username } = mallory.user;
    const { logIn } = AuthService.method;
    const attempts: string[] = [];
    for (let i = 0; i < 12; i++) {
      const request = { username: i % 3 ? username : username.toUpperCase(), password: `wrong ${i}` };
      const { reason, error } = await (i % 2 ? viaGrpc(logIn, request, "") : callRest(server.url, logIn, request, ""));
      attempts.push(reason);
      if (reason === "TOO_MANY_ATTEMPTS") assert.ok((error?.retryAfterMs ?? 0) > 800_000);
    }
    assert.deepEqual(attempts, [...Array(10).fill("BAD_CREDENTIALS"), "TOO_MANY_ATTEMPTS", "TOO_MANY_ATTEMPTS"]);
    const right = await fetch(`${server.url}/api/v1/auth/login`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ username, password }),
    });
    assert.equal(right.status, 429);
    assert.ok(Number(right.headers.get("retry-after")) > 800);
    // Changing the password is another way to guess it.
    const guess = { currentPassword: "wrong", newPassword: "correct horse battery 2" };
    assert.equal((await callRest(server.url, AuthService.method.changePassword, guess, mallory.token)).reason, "TOO_MANY_ATTEMPTS");
    // Nobody else is locked out, nor is a name that does not exist told from one that does.
    const other = { username: newName(), password: "wrong" };
    assert.equal((await viaGrpc(logIn, other, "")).reason, "BAD_CREDENTIALS");
  });

  test("sends are counted over all protocols, in one write of 10,001 frames too", async () => {
    const stream = await HostileStream.open(server.port, "proto", mallory.token);
    const since = performance.now();
    for (let i = 1; i <= 10_001; i++) stream.frame({ id: i, kind: { case: "send", value: { roomId, text: `${i}` } } });
    await stream.replies.until(({ length }) => length === 10_001);
    const seconds = Math.ceil((performance.now() - since) / 1000);
    const results = stream.replies.items.map(({ result }) => result);
    let stored = results.filter((result) => result.case === "send").length;
    assert.ok(stored >= 20 && stored <= 20 + seconds, `${stored} were stored in ${seconds} s`);
    const errors = results.flatMap((result) => (result.case === "error" ? result.value : []));
    assert.equal(errors.length, 10_001 - stored);
    assert.ok(errors.every(({ reason, retryAfterMs }) => reason === Reason.RATE_LIMITED && (retryAfterMs ?? 0) > 0));
    const { sendMessage } = MessagesService.method;
    for (const send of [
      () => viaGrpc(sendMessage, { roomId, text: "x" }, mallory.token),
      () => callRest(server.url, sendMessage, { roomId, text: "x" }, mallory.token),
    ]) {
      stored += await allowedNow(send);
    }
    const { messages } = await mallory.call(MessagesService.method.listMessages, { roomId, pageSize: 200 });
    assert.equal(messages.length, stored);
    stream.close();
  });

  test("calls are limited for each person, and not for others at the same address", async () => {
    const eager = await clientDriver(server.url, "json").signUp(newName());
    const outcomes = await Promise.all(Array.from({ length: 150 }, () => callRest(server.url, UsersService.method.getMe, {}, eager.token)));
    const refused = outcomes.filter(({ reason }) => reason === "RATE_LIMITED");
    assert.ok(refused.length >= 30, `${refused.length} were refused`);
    assert.ok(refused.every(({ error }) => (error?.retryAfterMs ?? 0) > 0));
    await allowedNow(() => viaGrpc(UsersService.method.getMe, {}, eager.token));
    assert.equal((await callRest(server.url, UsersService.method.getMe, {}, mallory.token)).reason, "OK");
    eager.close();
  });

  test("a token for reading can neither write nor show that somebody writes", async () => {
    const reader = await clientDriver(server.url, "json").signUp(newName());
    const { room } = await reader.call(RoomsService.method.createRoom, { name: "x" });
    const { token } = await reader.call(AuthService.method.createApiToken, { name: "r", scopes: [ApiToken_Scope.READ] });
    const stream = await HostileStream.open(server.port, "json", token);
    const value = { roomId: room?.id ?? "" };
    assert.equal((await stream.ask({ case: "typing", value })).reason, "SCOPE_MISSING");
    assert.equal((await stream.ask({ case: "send", value: { ...value, text: "x" } })).reason, "SCOPE_MISSING");
    assert.equal((await stream.ask({ case: "markRead", value })).reason, "SCOPE_MISSING");
    assert.equal((await stream.ask({ case: "setPresence", value: { status: 1 } })).reason, "SCOPE_MISSING");
    assert.equal((await stream.ask({ case: "ping", value: {} })).reason, "OK");
    stream.close();
    reader.close();
  });

  test("streams of one person and connections of one address are capped", async () => {
    const crowd = await clientDriver(server.url, "json").signUp(newName());
    const streams = await Promise.all(Array.from({ length: 4 }, () => HostileStream.open(server.port, "json", crowd.token)));
    const fifth = await HostileStream.connect(server.port, "proto");
    fifth.frame({ kind: { case: "hello", value: { token: crowd.token } } });
    assert.equal((await fifth.ended).reason, "TOO_MANY_CONNECTIONS");
    const sockets = await Promise.all(Array.from({ length: 320 }, () => RawSocket.connect(server.port)));
    await Promise.race(sockets.map(({ closed }) => closed));
    const { closed } = sockets.at(-1) as RawSocket;
    assert.equal((await closed).length, 0);
    assert.equal((await (streams[0] as HostileStream).ask({ case: "ping", value: {} })).reason, "OK");
    for (const { socket } of sockets) socket.destroy();
    for (const stream of streams) stream.close();
    crowd.close();
  });

  test("the server is well", () => server.assertWell());
});
