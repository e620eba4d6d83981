// What a process does on its way to a service: deadlines, repetition, errors.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createSecureServer, createServer, type IncomingHttpHeaders, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo, Socket } from "node:net";
import { test } from "node:test";
import type { TLSSocket } from "node:tls";
import { create, toBinary } from "@bufbuild/protobuf";
import {
  Code,
  CreateRoomRequestSchema,
  ErrorSchema,
  GetRoomRequestSchema,
  ListMembersRequestSchema,
  MessagesService,
  ParlorError,
  Reason,
  RoomsService,
  SendMessageRequestSchema,
  User_Role,
} from "@parlor/contract";
import type { Call } from "../../src/domain/call.ts";
import { readForwarded, serviceMetadata } from "../../src/domain/forwarded-call.ts";
import { type ChannelOptions, ServiceChannel, type ServiceTls } from "../../src/services/remote/service-channel.ts";
import { createAuthority, noOpenssl } from "../support/certificates.ts";
import { freePort } from "../support/child-server.ts";
import { Inbox } from "../support/inbox.ts";
import { refused } from "../support/refused.ts";

type Answer = (stream: ServerHttp2Stream) => void;

interface Service extends AsyncDisposable {
  readonly channel: ServiceChannel;
  readonly asked: readonly IncomingHttpHeaders[];
}

const call: Call = {
  requestId: "r-1",
  protocol: "websocket",
  address: "192.0.2.7",
  caller: { userId: "u", username: "ada", role: User_Role.MODERATOR, sessionId: "s", expiresAt: 1_800_000_000_000 },
};

/** As a process that is killed: without a word of HTTP/2. */
const cut: Answer = (stream) => sockets.get(stream.session?.socket.remotePort ?? 0)?.destroy();
const sockets = new Map<number, Socket>();
const never: Answer = () => undefined;
const empty: Answer = (stream) => {
  stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
  stream.once("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
  stream.end(Buffer.alloc(5));
};

/** A service that answers each call in turn, the last answer for all that follow. */
async function service(...answers: readonly Answer[]): Promise<Service> {
  return serviceWith({}, ...answers);
}

async function serviceWith(options: Pick<ChannelOptions, "mostCalls">, ...answers: readonly Answer[]): Promise<Service> {
  const asked: IncomingHttpHeaders[] = [];
  const server = createServer().on("stream", (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    stream.on("error", () => undefined);
    asked.push(headers);
    const answer = answers[Math.min(asked.length, answers.length) - 1] as Answer;
    stream.resume().once("end", () => answer(stream));
  });
  server.on("connection", (socket: Socket) => sockets.set(socket.remotePort ?? 0, socket));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const channel = new ServiceChannel({ name: "rooms", url, token: "t", ...options });
  const dispose = async (): Promise<void> => {
    channel.close();
    server.close();
  };
  return { channel, asked, [Symbol.asyncDispose]: dispose };
}

const getRoom = create(GetRoomRequestSchema, { roomId: "r" });
const createRoom = create(CreateRoomRequestSchema, { name: "n" });

test("who calls, the request's id and the secret go along", async () => {
  await using rooms = await service(empty);
  await rooms.channel.call(RoomsService.method.getRoom, getRoom, call);
  const [headers = {}] = rooms.asked;
  assert.equal(headers["x-request-id"], "r-1");
  assert.equal(headers[serviceMetadata.token], "t");
  const { requestId: _, ...about } = call;
  assert.deepEqual(readForwarded(Buffer.from(String(headers[serviceMetadata.call]), "base64")), { ...about, forwarded: true });
});

test("the client's deadline goes along, and ends the call", async () => {
  await using rooms = await service(never);
  const began = Date.now();
  const error = await refused(rooms.channel.call(RoomsService.method.getRoom, getRoom, { ...call, deadline: began + 300 }), Reason.TIMEOUT);
  assert.equal(error.code, Code.DEADLINE_EXCEEDED);
  const [, digits, unit] = /^(\d+)(m|u|n)$/.exec(String(rooms.asked[0]?.["grpc-timeout"])) ?? [];
  assert.ok(Number(digits) * ({ m: 1, u: 1e-3, n: 1e-6 }[unit as "m"] ?? 0) <= 300);
});

test("reads and keyed sends are repeated after a lost connection, other calls are not", async () => {
  const repeated = [
    [RoomsService.method.getRoom, getRoom],
    [MessagesService.method.sendMessage, create(SendMessageRequestSchema, { roomId: "r", text: "t", clientMessageId: "k" })],
  ] as const;
  for (const [method, request] of repeated) {
    await using rooms = await service(cut, cut, empty);
    await rooms.channel.call(method, request, call);
    assert.equal(rooms.asked.length, 3, method.name);
  }
  const once = [
    [RoomsService.method.createRoom, createRoom],
    [MessagesService.method.sendMessage, create(SendMessageRequestSchema, { roomId: "r", text: "t" })],
  ] as const;
  for (const [method, request] of once) {
    await using rooms = await service(cut, empty);
    const error = await refused(rooms.channel.call(method, request, call), Reason.SERVICE_UNAVAILABLE);
    assert.match(error.message, /may or may not have taken effect/);
    assert.equal(rooms.asked.length, 1, method.name);
  }
});

test("a call that is repeated in vain ends with UNAVAILABLE", async () => {
  await using rooms = await service(cut);
  await refused(rooms.channel.call(RoomsService.method.getRoom, getRoom, call), Reason.SERVICE_UNAVAILABLE);
  assert.equal(rooms.asked.length, 4);
});

test("the service's own error comes back as it was, and is not repeated", async () => {
  const thrown = new ParlorError(Code.UNAVAILABLE, Reason.STORE_UNAVAILABLE, "The database does not answer.", {
    retryAfterMs: 70,
    requestId: "r-1",
    violations: [{ field: "name", description: "must be" }],
  });
  const failing: Answer = (stream) =>
    stream.respond(
      {
        ":status": 200,
        "content-type": "application/grpc",
        "grpc-status": "14",
        "parlor-error-bin": Buffer.from(toBinary(ErrorSchema, thrown.toWire())).toString("base64"),
      },
      { endStream: true },
    );
  await using rooms = await service(failing);
  const error = await refused(rooms.channel.call(RoomsService.method.getRoom, getRoom, call), Reason.STORE_UNAVAILABLE);
  assert.deepEqual(error.toWire(), thrown.toWire());
  assert.equal(rooms.asked.length, 1);
});

test("where nobody is, a call ends in time and says so", async () => {
  const channel = new ServiceChannel({ name: "rooms", url: `http://127.0.0.1:${await freePort()}` });
  const began = performance.now();
  const error = await refused(channel.call(RoomsService.method.createRoom, createRoom, call), Reason.SERVICE_UNAVAILABLE);
  assert.match(error.message, /does not answer; try again/);
  assert.ok(performance.now() - began < 5000);
  assert.equal(await channel.reachable(), false);
  channel.close();
});

test("of a service that hangs, no more calls wait than may: the others are refused at once, until one has ended", async () => {
  await using rooms = await serviceWith({ mostCalls: 2 }, never, never, empty);
  const ask = (deadline?: number) => rooms.channel.call(RoomsService.method.getRoom, getRoom, { ...call, ...(deadline && { deadline }) });
  const hung = [ask(Date.now() + 300), ask(Date.now() + 300)].map((one) => refused(one, Reason.TIMEOUT));
  const error = await refused(ask(), Reason.SERVICE_UNAVAILABLE);
  assert.equal(error.code, Code.UNAVAILABLE);
  assert.equal(error.retryAfterMs, 1000);
  await Promise.all(hung);
  assert.equal(rooms.asked.length, 2);
  await ask();
});

test("with another certificate, what is under way goes on, and what follows shows it", { skip: noOpenssl ?? false }, async (context) => {
  using authority = createAuthority();
  const { key, cert } = authority.issue("rooms");
  const shown: string[] = [];
  const held = new Inbox<ServerHttp2Stream>();
  const server = createSecureServer({ key, cert, ca: authority.cert, requestCert: true });
  server.on("stream", (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    shown.push(String((stream.session as ServerHttp2Session & { readonly socket: TLSSocket }).socket.getPeerCertificate().subject.CN));
    if (headers[":path"]?.endsWith("ListMembers")) stream.resume().once("end", () => empty(stream));
    else held.put(stream);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  context.after(() => server.close());
  const as = (name: string): ServiceTls => {
    const { key, cert } = authority.issue(name);
    return { ca: authority.cert, key, cert };
  };
  const url = `https://localhost:${(server.address() as AddressInfo).port}`;
  const channel = new ServiceChannel({ name: "rooms", url, tls: as("before") });
  context.after(() => channel.close());
  const waiting = channel.call(RoomsService.method.getRoom, getRoom, call);
  const called = await held.find(({ sentHeaders }) => sentHeaders === undefined);
  const stream = channel.connect(call).on("error", () => undefined);
  const opened = await held.find((other) => other !== called);
  channel.renew(as("after"), 0);
  const ask = () => channel.call(RoomsService.method.listMembers, create(ListMembersRequestSchema, { roomId: "r" }), call);
  // A handshake, and longer than it takes to close what was there.
  await ask();
  opened.respond({ ":status": 200, "content-type": "application/grpc" });
  opened.write(Buffer.from([0, 0, 0, 0, 1, 7]));
  const [heard] = (await once(stream, "data")) as [Buffer];
  assert.deepEqual([...heard], [7]);
  called.resume();
  empty(called);
  await waiting;
  assert.deepEqual([...new Set(shown)], ["before", "after"]);
  assert.throws(() => channel.renew({ key: cert, cert }), /DECODER/);
  await ask();
  stream.cancel();
});
