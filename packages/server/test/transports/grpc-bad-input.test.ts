import assert from "node:assert/strict";
import { type ClientHttp2Session, type ClientHttp2Stream, connect, type IncomingHttpHeaders } from "node:http2";
import { after, before, beforeEach, describe, test } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  ClientFrameSchema,
  ErrorSchema,
  EventSchema,
  Goodbye_Reason,
  GoodbyeSchema,
  Reason,
  SendMessageRequestSchema,
  ServerFrameSchema,
  UpdateRoomRequestSchema,
} from "@parlor/contract";
import { RoomEvent } from "../../src/domain/room-event.ts";
import {
  callHeaders,
  END_HEADERS,
  END_STREAM,
  frame,
  framesIn,
  headerBlock,
  message,
  PREFACE,
  ping,
  rstStream,
  settings,
  Type,
  windowUpdate,
} from "./http2-frames.ts";
import { RawSocket } from "./raw-socket.ts";
import { eventsFrame, type FakeConnection, type Rig, rig } from "./rig.ts";

const GET_ME = "/parlor.v1.UsersService/GetMe";
const SEND = "/parlor.v1.MessagesService/SendMessage";
const CONNECT = "/parlor.v1.RealtimeService/Connect";

interface Ended {
  readonly status: number;
  readonly reason: string | undefined;
}

let server: Rig;
before(async () => {
  server = await rig();
});
after(() => server[Symbol.asyncDispose]());

describe("bad gRPC messages", () => {
  let session: ClientHttp2Session;
  before(() => {
    session = connect(server.url);
    session.on("error", () => {});
  });
  after(() => session.destroy());

  function request(path: string, headers: Record<string, string> = {}): ClientHttp2Stream {
    const stream = session.request({
      ":method": "POST",
      ":path": path,
      "content-type": "application/grpc",
      te: "trailers",
      authorization: "Bearer good",
      ...headers,
    });
    stream.on("error", () => {});
    return stream;
  }

  /** How a call ends, wherever its status comes. */
  function endOf(stream: ClientHttp2Stream): Promise<Ended> {
    return new Promise((resolve, reject) => {
      const take = (headers: IncomingHttpHeaders): void => {
        if (headers["grpc-status"] === undefined) return;
        const error = headers["parlor-error-bin"];
        const reason = error && Reason[fromBinary(ErrorSchema, Buffer.from(error as string, "base64")).reason];
        resolve({ status: Number(headers["grpc-status"]), reason });
      };
      stream.on("response", take).on("trailers", take);
      stream.on("close", () => reject(new Error("the stream was closed without a status")));
      stream.resume();
    });
  }

  function call(path: string, bytes: Buffer, headers: Record<string, string> = {}): Promise<Ended> {
    const stream = request(path, headers);
    const ended = endOf(stream);
    stream.end(bytes);
    return ended;
  }

  const text = Buffer.from(toBinary(SendMessageRequestSchema, create(SendMessageRequestSchema, { text: "hi" })));

  test("a good one passes", async () => {
    assert.deepEqual(await call(SEND, message(text)), { status: 0, reason: undefined });
  });

  const refused: readonly (readonly [string, Buffer, number, string])[] = [
    ["a length of 4 GiB - 1", message(text, 0, 0xffffffff), 8, "TOO_LARGE"],
    ["a length over the limit", message(text, 0, 65_537), 8, "TOO_LARGE"],
    ["1 MB of unknown fields", message(Buffer.alloc(1_000_000, Buffer.from([0xf8, 0x7f, 1]))), 8, "TOO_LARGE"],
    ["a compressed flag without encoding", message(text, 1), 12, "UNSUPPORTED_MEDIA_TYPE"],
    ["flag 2", message(text, 2), 3, "MALFORMED"],
    ["flag 255", message(text, 255), 3, "MALFORMED"],
    ["a truncated varint", message(Buffer.from([0x08, 0xff])), 3, "MALFORMED"],
    ["a varint of 11 bytes", message(Buffer.from([...Array(10).fill(0xff), 0x01])), 3, "MALFORMED"],
    ["a truncated string", message(Buffer.from([0x12, 100, 0x61])), 3, "MALFORMED"],
    ["wire type 6", message(Buffer.from([0x7e, 0])), 3, "MALFORMED"],
    ["wire type 7", message(Buffer.from([0x7f, 0])), 3, "MALFORMED"],
    ["field 0", message(Buffer.from([0x02, 0])), 3, "MALFORMED"],
    ["nesting of 10,000", message(Buffer.alloc(10_000, 0x7b)), 3, "MALFORMED"],
    ["a group that ends another", message(Buffer.from([0x7b, 0x74])), 3, "MALFORMED"],
    ["a string that is not UTF-8", message(Buffer.from([0x12, 2, 0xc3, 0x28])), 3, "MALFORMED"],
    ["a string with a surrogate", message(Buffer.from([0x12, 3, 0xed, 0xa0, 0x80])), 3, "MALFORMED"],
  ];
  for (const [name, bytes, status, reason] of refused) {
    test(`${name}: ${reason}, and nothing is called`, async () => {
      const calls = server.api.calls.length;
      assert.deepEqual(await call(SEND, bytes), { status, reason });
      assert.equal(server.api.calls.length, calls);
    });
  }

  test("unknown fields are skipped, and what an enum does not have is left to the rules", async () => {
    assert.equal((await call(SEND, message(Buffer.concat([text, Buffer.from([0xf8, 0x7f, 1])])))).status, 0);
    assert.equal((await call("/parlor.v1.RoomsService/UpdateRoom", message(Buffer.from([0x20, 0x9f, 0x8d, 0x06])))).status, 0);
    assert.ok(server.api.calls.at(-1)?.request.$typeName === UpdateRoomRequestSchema.typeName);
  });

  test("no message, two messages, half a message", async () => {
    assert.equal((await call(SEND, Buffer.alloc(0))).status, 12);
    assert.equal((await call(SEND, Buffer.concat([message(text), message(text)]))).status, 12);
    assert.equal((await call(SEND, message(text).subarray(0, 7))).status, 12);
  });

  test("metadata: encodings, content types, tokens, unknown methods", async () => {
    assert.deepEqual(await call(SEND, message(text, 1), { "grpc-encoding": "gzip" }), { status: 12, reason: "UNSUPPORTED_MEDIA_TYPE" });
    assert.deepEqual(await call(CONNECT, message(text), { "grpc-encoding": "deflate" }), { status: 12, reason: "UNSUPPORTED_MEDIA_TYPE" });
    assert.deepEqual(await call(SEND, message(text), { authorization: "Digest x" }), { status: 16, reason: "TOKEN_INVALID" });
    assert.deepEqual(await call(CONNECT, message(text), { authorization: "Digest x" }), { status: 16, reason: "TOKEN_INVALID" });
    for (const path of [
      "/",
      "/parlor.v1.UsersService",
      "/parlor.v1.UsersService/__proto__",
      "/constructor",
      "/parlor.v1.UsersService/getMe",
    ]) {
      assert.deepEqual(await call(path, message(text)), { status: 12, reason: "NO_SUCH_METHOD" });
    }
    const stream = request(GET_ME, { "content-type": "application/json" });
    const [headers] = (await new Promise<unknown[]>((resolve) => stream.on("response", (...all: unknown[]) => resolve(all)))) as [
      IncomingHttpHeaders,
    ];
    assert.equal(headers[":status"], 415);
  });

  async function open(): Promise<{ stream: ClientHttp2Stream; connection: FakeConnection }> {
    const opened = server.realtime.next();
    const stream = request(CONNECT);
    return { stream, connection: await opened };
  }

  for (const [name, bytes, reason] of [
    ["too large", message(text, 0, 65_537), "FRAME_TOO_LARGE"],
    ["compressed", message(text, 1), "BAD_FRAME"],
    ["not protobuf", message(Buffer.from([0xff])), "BAD_FRAME"],
  ] as const) {
    test(`stream: a frame that is ${name} ends it with a goodbye`, async () => {
      const { stream, connection } = await open();
      const heard: Buffer[] = [];
      stream.on("data", (chunk: Buffer) => heard.push(chunk));
      const ended = endOf(stream);
      stream.write(bytes);
      stream.write(message(Buffer.from(toBinary(ClientFrameSchema, create(ClientFrameSchema, { kind: { case: "ping", value: {} } })))));
      assert.notEqual((await ended).status, 0);
      assert.equal(fromBinary(ServerFrameSchema, Buffer.concat(heard).subarray(5)).goodbye?.reason, Goodbye_Reason[reason]);
      assert.equal(connection.frames.length, 0, "what follows is not read");
    });
  }

  test("a stream that never reads is cut, while its neighbour on the connection goes on", async () => {
    const stuck = await open();
    const moving = await open();
    let taken = 0;
    moving.stream.on("data", (chunk: Buffer) => {
      taken += chunk.length;
    });
    const batch = eventsFrame(stuck.connection.sink, [RoomEvent.of(create(EventSchema, { actorId: "x".repeat(50_000) }))]);
    for (let i = 0; i < 20; i++) stuck.connection.sink.write(batch);
    for (let i = 0; i < 40; i++) moving.connection.sink.write(batch);
    await moving.connection.sink.drained();
    while (taken < 40 * batch.length) await new Promise((resolve) => moving.stream.once("data", resolve));
    assert.ok(stuck.connection.sink.queuedBytes > 800_000, `${stuck.connection.sink.queuedBytes} bytes wait`);
    stuck.connection.sink.end(create(GoodbyeSchema, { reason: Goodbye_Reason.SLOW_CONSUMER }));
    await stuck.connection.until("closed");
    assert.equal(stuck.connection.sink.queuedBytes, 0);
    moving.connection.sink.write(batch);
    while (taken < 41 * batch.length) await new Promise((resolve) => moving.stream.once("data", resolve));
    moving.stream.close();
  });
});

describe("bad HTTP/2", () => {
  let watcher: ClientHttp2Session;
  beforeEach(() => {
    watcher = connect(server.url);
    watcher.on("error", () => {});
  });

  /** Floods until the server has closed the connection, while a neighbour is served. */
  async function flood(first: Buffer, batch: (i: number) => Buffer): Promise<void> {
    await using raw = await RawSocket.connect(server.port);
    raw.send(PREFACE, settings(), first);
    for (let i = 0; !raw.socket.destroyed; i++) {
      assert.ok(i < 2000, "it is still open");
      await new Promise<void>((resolve) => void raw.socket.write(batch(i), () => resolve()));
      await new Promise((resolve) => setImmediate(resolve));
    }
    const neighbour = watcher.request({
      ":method": "POST",
      ":path": GET_ME,
      "content-type": "application/grpc",
      te: "trailers",
      authorization: "Bearer good",
    });
    neighbour.end(message(Buffer.alloc(0)));
    const trailers = await new Promise<IncomingHttpHeaders>((resolve) => neighbour.on("trailers", resolve).resume());
    assert.equal(trailers["grpc-status"], "0");
    watcher.destroy();
  }

  const nothing = Buffer.alloc(0);
  const many = (count: number, make: (i: number) => Buffer): Buffer => Buffer.concat(Array.from({ length: count }, (_, i) => make(i)));
  const streams = (make: (id: number) => Buffer) => (batch: number) => many(500, (i) => make(1 + 2 * (batch * 500 + i)));
  const opened = (path: string, id: number, flags: number = END_HEADERS): Buffer => frame(Type.HEADERS, flags, id, callHeaders(path));

  const floods: readonly (readonly [string, Buffer, (i: number) => Buffer])[] = [
    ["rapid reset of calls", nothing, streams((id) => Buffer.concat([opened(GET_ME, id), rstStream(id)]))],
    ["rapid reset of streams", nothing, streams((id) => Buffer.concat([opened(CONNECT, id), rstStream(id)]))],
    [
      "resets that the server is made to send, by windows",
      nothing,
      streams((id) => Buffer.concat([opened(CONNECT, id), windowUpdate(id, 0x7fffffff)])),
    ],
    [
      "resets that the server is made to send, by data after the end",
      nothing,
      streams((id) => Buffer.concat([opened(GET_ME, id, END_HEADERS | END_STREAM), frame(Type.DATA, 0, id, Buffer.from("x"))])),
    ],
    ["streams beyond the limit", nothing, streams((id) => opened(CONNECT, id))],
    ["PING", nothing, () => many(2000, () => ping())],
    ["SETTINGS", nothing, () => many(2000, () => settings())],
    ["PRIORITY", nothing, () => many(2000, () => frame(Type.PRIORITY, 0, 1, Buffer.from([0, 0, 0, 0, 1])))],
    ["frames of an unknown type", nothing, () => many(2000, () => frame(0xbb, 0, 0, Buffer.from("x")))],
    [
      "CONTINUATION",
      frame(Type.HEADERS, 0, 1, callHeaders(GET_ME)),
      () => many(100, () => frame(Type.CONTINUATION, 0, 1, headerBlock({ x: "y".repeat(100) }))),
    ],
    ["empty CONTINUATION", frame(Type.HEADERS, 0, 1, callHeaders(GET_ME)), () => many(2000, () => frame(Type.CONTINUATION, 0, 1))],
    ["empty DATA", opened(CONNECT, 1), () => many(2000, () => frame(Type.DATA, 0, 1))],
  ];
  for (const [name, first, batch] of floods) test(`a flood of ${name} closes the connection`, () => flood(first, batch));

  test("a preface that only begins like one", async () => {
    await using raw = await RawSocket.connect(server.port);
    raw.send("PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n");
    assert.ok((await raw.closed).length < 100);
  });

  test("a frame larger than agreed ends the connection", async () => {
    await using raw = await RawSocket.connect(server.port);
    raw.send(PREFACE, settings(), frame(Type.DATA, 0, 1, Buffer.alloc(16_385)));
    const goaway = framesIn(await raw.closed).find(({ type }) => type === Type.GOAWAY);
    assert.equal(goaway?.payload.readUInt32BE(4), 6, "FRAME_SIZE_ERROR");
  });

  test("a preface a byte at a time is one", async () => {
    await using raw = await RawSocket.connect(server.port);
    for (const byte of PREFACE) {
      raw.send(Buffer.from([byte]));
      await new Promise((resolve) => setImmediate(resolve));
    }
    raw.send(settings(), ping());
    await raw.until((heard) => framesIn(heard).some(({ type, flags }) => type === Type.PING && flags === 1));
  });
});
