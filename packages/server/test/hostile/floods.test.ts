// Too much of everything: what floods the whole server is cut off, leaves no memory behind, and is not noticed by others.
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { after, before, describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import { create, toBinary } from "@bufbuild/protobuf";
import {
  ClientFrameSchema,
  MessagesService,
  RealtimeService,
  RoomsService,
  SendMessageRequestSchema,
  UsersService,
} from "@parlor/contract";
import { WebSocket } from "ws";
import { clientDriver } from "../support/drivers/client.ts";
import type { Person } from "../support/drivers/driver.ts";
import { newName } from "../support/party.ts";
import { frame, headerBlock, message, PREFACE, ping, rstStream, settings, Type, windowUpdate } from "../transports/http2-frames.ts";
import { RawSocket } from "../transports/raw-socket.ts";
import { type Target, target } from "./target.ts";
import { grpcPath, HostileStream } from "./voices.ts";
import { Witness } from "./witness.ts";

const END_STREAM = 1;
const END_HEADERS = 4;
const megabyte = 1024 * 1024;
/** What any attack may leave in memory, with the noise of the garbage collector. */
const mostGrowth = 50 * megabyte;
/** Readers that stop reading. */
const slowReaders = Number(process.env["PARLOR_TEST_SLOW_READERS"] ?? 60);

const GET_ME = grpcPath(UsersService.method.getMe);
const SEND = grpcPath(MessagesService.method.sendMessage);
const CONNECT = grpcPath(RealtimeService.method.connect);

let server: Target;
let witness: Witness;
let mallory: Person;
let roomId: string;
let idle: readonly RawSocket[];

before(async () => {
  server = await target({ PARLOR_CONNECTIONS_PER_USER: "5000", PARLOR_CONNECTIONS_PER_ADDRESS: "5000" });
  witness = await Witness.start(server);
  mallory = await clientDriver(server.url, "json").signUp(newName());
  const { room } = await mallory.call(RoomsService.method.createRoom, { name: "Here" });
  roomId = room?.id ?? "";
  idle = await dawdlers();
});
after(async () => {
  mallory.close();
  await server[Symbol.asyncDispose]();
});

/** Connections that say nothing, or too little, for as long as they are let. */
async function dawdlers(): Promise<readonly RawSocket[]> {
  const beginnings = ["", "G", "PRI", "GET / HTTP/1.1\r\nhost: x\r\nx: ", "POST /api/v1/auth/login HTTP/1.1\r\nhost: x\r\n"];
  const sockets = await Promise.all(Array.from({ length: 100 }, () => RawSocket.connect(server.port)));
  sockets.forEach((socket, i) => void socket.send(beginnings[i % beginnings.length] as string));
  return sockets;
}

/** Attacks, and fails if memory is left taken or somebody else was disturbed. */
async function withstand(attack: () => Promise<void>, most: number = mostGrowth): Promise<void> {
  const before = await server.memory();
  await attack();
  const now = await server.memory();
  for (const kind of ["rss", "heap"] as const) {
    const growth = now[kind] - before[kind];
    assert.ok(growth < most, `${Math.round(growth / megabyte)} MB more are taken (${kind})`);
  }
  await witness.goesOn();
  await server.assertWell();
}

const nothing = Buffer.alloc(0);
const many = (count: number, make: (i: number) => Buffer): Buffer => Buffer.concat(Array.from({ length: count }, (_, i) => make(i)));

function opened(path: string, id: number, token: string, flags = END_HEADERS): Buffer {
  const pseudo = { ":method": "POST", ":scheme": "http", ":path": path, ":authority": "x" };
  const block = headerBlock({ ...pseudo, "content-type": "application/grpc", te: "trailers", authorization: `Bearer ${token}` });
  return frame(Type.HEADERS, flags, id, block);
}

/** Writes batch after batch until the server closes the connection. */
async function flood(first: Buffer, batch: (i: number) => Buffer): Promise<void> {
  await using raw = await RawSocket.connect(server.port);
  raw.send(PREFACE, settings(), first);
  for (let i = 0; !raw.socket.destroyed; i++) {
    assert.ok(i < 2000, "it is still open");
    await new Promise<void>((resolve) => void raw.socket.write(batch(i), () => resolve()));
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe("floods", () => {
  const streams = (make: (id: number) => Buffer) => (batch: number) => many(200, (i) => make(1 + 2 * (batch * 200 + i)));
  const sendBytes = (): Buffer =>
    message(Buffer.from(toBinary(SendMessageRequestSchema, create(SendMessageRequestSchema, { roomId, text: "reset" }))));
  const http2Floods: readonly (readonly [string, () => Buffer, (i: number) => Buffer])[] = [
    ["rapid reset of calls", () => nothing, streams((id) => Buffer.concat([opened(GET_ME, id, mallory.token), rstStream(id)]))],
    [
      "sends that are reset while they are stored",
      () => nothing,
      streams((id) => Buffer.concat([opened(SEND, id, mallory.token), frame(Type.DATA, END_STREAM, id, sendBytes()), rstStream(id)])),
    ],
    ["rapid reset of streams", () => nothing, streams((id) => Buffer.concat([opened(CONNECT, id, mallory.token), rstStream(id)]))],
    ["windows that overflow", () => nothing, streams((id) => Buffer.concat([opened(CONNECT, id, ""), windowUpdate(id, 0x7fffffff)]))],
    ["streams without end", () => nothing, streams((id) => opened(CONNECT, id, mallory.token))],
    ["PING", () => nothing, () => many(2000, () => ping())],
    ["SETTINGS", () => nothing, () => many(2000, () => settings())],
    [
      "CONTINUATION",
      () => opened(GET_ME, 1, mallory.token, 0),
      () => many(100, () => frame(Type.CONTINUATION, 0, 1, headerBlock({ x: "y".repeat(100) }))),
    ],
    ["empty DATA", () => opened(CONNECT, 1, mallory.token), () => many(2000, () => frame(Type.DATA, 0, 1))],
  ];

  // Once, so that what is made only once is not taken for growth.
  test("a first flood", async () => {
    for (const [, first, batch] of http2Floods.slice(0, 2)) await flood(first(), batch);
  });

  for (const [name, first, batch] of http2Floods) {
    test(`HTTP/2: ${name}`, () =>
      withstand(
        async () => {
          for (let i = 0; i < 3; i++) await flood(first(), batch);
        },
        // What was stored before its reset came is in the database, which is in the same process.
        name.startsWith("sends") ? 2 * mostGrowth : mostGrowth,
      ));
  }

  test("a compressed message of 256 MiB is refused unread", () =>
    withstand(async () => {
      const bomb = message(gzipSync(Buffer.alloc(64 * megabyte)).subarray(0, 60_000), 1);
      for (const encoding of ["gzip", "deflate", "identity"]) {
        const session = connectHttp2(server.url);
        const stream = session.request({
          ":method": "POST",
          ":path": SEND,
          "content-type": "application/grpc",
          "grpc-encoding": encoding,
          authorization: `Bearer ${mallory.token}`,
        });
        stream.on("error", () => undefined);
        stream.end(bomb);
        const [headers] = await once(stream, "response");
        assert.equal(headers["grpc-status"], "12");
        session.destroy();
      }
    }));

  test("half a message on each of 256 streams, from strangers", () =>
    withstand(async () => {
      const half = Buffer.concat([message(Buffer.alloc(0), 0, 65_000), Buffer.alloc(16_000)]);
      const sockets = await Promise.all(Array.from({ length: 8 }, () => RawSocket.connect(server.port)));
      for (const raw of sockets) {
        const calls = many(250, (i) =>
          Buffer.concat([opened(GET_ME, 1 + 2 * i, "x"), frame(Type.DATA, 0, 1 + 2 * i, half.subarray(0, 16_000))]),
        );
        raw.send(PREFACE, settings(), calls, ping());
      }
      await Promise.all(sockets.map((raw) => raw.until((heard) => heard.includes(Buffer.from([0, 0, 8, 6, 1])))));
      for (const raw of sockets) raw.socket.destroy();
    }));

  test("10,001 frames in one write, each answered, in order", () =>
    withstand(async () => {
      const stream = await HostileStream.open(server.port, "proto", mallory.token);
      const frames = Array.from({ length: 10_001 }, (_, i) =>
        toBinary(ClientFrameSchema, create(ClientFrameSchema, { id: i + 1, kind: { case: "ping", value: {} } })),
      );
      for (const bytes of frames) stream.raw(bytes);
      await stream.replies.until((replies) => replies.length === frames.length);
      assert.ok(stream.replies.items.every(({ id }, i) => id === i + 1));
      stream.close();
    }));

  test("a hello again and again changes nobody", () =>
    withstand(async () => {
      const other = await clientDriver(server.url, "json").signUp(newName());
      const stream = await HostileStream.open(server.port, "json", other.token);
      for (const token of [mallory.token, other.token, ""]) {
        assert.equal((await stream.ask({ case: "hello", value: { token } })).reason, "UNEXPECTED_FRAME");
      }
      assert.equal((await stream.ask({ case: "send", value: { roomId, text: "as mallory?" } })).reason, "NOT_EXISTING");
      stream.close();
      other.close();
    }));

  test("10 MB bodies, told and untold", () =>
    withstand(async () => {
      for (const length of ["content-length: 10485760", "transfer-encoding: chunked"]) {
        await using raw = await RawSocket.connect(server.port);
        raw.send(`POST /api/v1/rooms/${roomId}/messages HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n`);
        raw.send(`authorization: Bearer ${mallory.token}\r\n${length}\r\n\r\n`, length.startsWith("t") ? "a00000\r\n" : "");
        const body = Buffer.alloc(megabyte, " ");
        for (let i = 0; i < 10 && !raw.socket.destroyed; i++) {
          await new Promise<void>((resolve) => void raw.socket.write(body, () => resolve()));
        }
        assert.match((await raw.closed).toString("latin1"), /^(HTTP\/1.1 413 |$)/);
      }
    }));

  test(`${slowReaders} readers that stop reading`, () =>
    withstand(
      async () => {
        const readers = await Promise.all(Array.from({ length: slowReaders }, (_, i) => stuckReader(i % 2 ? "json" : "proto")));
        const text = "x".repeat(8000);
        const stream = await HostileStream.open(server.port, "proto", mallory.token);
        // The witness has two streams, and this one is the third.
        for (let i = 0; (await connections()) > 3; i++) {
          assert.ok(i < 400, "some are still there");
          const sends = Array.from({ length: 16 }, () => stream.ask({ case: "send", value: { roomId, text } }));
          for (const { reason } of await Promise.all(sends)) assert.equal(reason, "OK");
        }
        for (const reader of readers) reader.terminate();
        stream.close();
      },
      2 * mostGrowth + slowReaders * 0.25 * megabyte,
    ));

  test("whoever dawdled is gone", async () => {
    await Promise.all(idle.map((socket) => socket.closed));
  });

  test("nobody else noticed", () => witness.assertUndisturbed());
});

/** A reader that takes the welcome, and then nothing. */
async function stuckReader(format: "json" | "proto"): Promise<WebSocket> {
  const webSocket = new WebSocket(`ws://127.0.0.1:${server.port}/api/v1/realtime`, `parlor.v1.${format}`, {
    headers: { authorization: `Bearer ${mallory.token}` },
  });
  webSocket.on("error", () => undefined);
  await once(webSocket, "open");
  const hello = create(ClientFrameSchema, { kind: { case: "hello", value: {} } });
  webSocket.send(format === "json" ? `{"hello": {}}` : toBinary(ClientFrameSchema, hello));
  await once(webSocket, "message");
  webSocket.pause();
  return webSocket;
}

/** How many streams the server has open. */
async function connections(): Promise<number> {
  const metrics = await (await fetch(`${server.url}/metrics`)).text();
  return [...metrics.matchAll(/^parlor_connections\{[^}]*\} (\d+)/gm)].reduce((sum, [, count]) => sum + Number(count), 0);
}
