import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { create, type DescMessage, fromBinary, type MessageInitShape, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import * as grpc from "@grpc/grpc-js";
import {
  ClientFrameSchema,
  Code,
  ErrorSchema,
  EventSchema,
  GetMeRequestSchema,
  GetMeResponseSchema,
  Goodbye_Reason,
  GoodbyeSchema,
  ParlorError,
  Reason,
  SendMessageRequestSchema,
  SendMessageResponseSchema,
  type ServerFrame,
  ServerFrameSchema,
} from "@parlor/contract";
import { RoomEvent } from "../../src/domain/room-event.ts";
import { eventsFrame, type FakeConnection, type Rig, refusing, rig } from "./rig.ts";

const connectPath = "/parlor.v1.RealtimeService/Connect";
const bytesOf = (schema: DescMessage, value: object): Buffer => Buffer.from(toBinary(schema, create(schema, value as never)));

interface Failure {
  readonly code: number;
  readonly error: ParlorError | undefined;
  readonly requestId: string | undefined;
}

function failureOf({ code, metadata }: grpc.StatusObject | grpc.ServiceError): Failure {
  const bytes = metadata.get("parlor-error-bin")[0] as Buffer | undefined;
  const requestId = metadata.get("x-request-id")[0] as string | undefined;
  return { code, requestId, error: bytes && ParlorError.fromWire(fromBinary(ErrorSchema, bytes)) };
}

describe("gRPC", () => {
  let server: Rig;
  let client: grpc.Client;
  before(async () => {
    server = await rig();
    client = new grpc.Client(`127.0.0.1:${server.port}`, grpc.credentials.createInsecure());
  });
  after(async () => {
    client.close();
    await server[Symbol.asyncDispose]();
  });

  const metadata = (token: string | null = "good", more: Record<string, string> = {}) => {
    const all = new grpc.Metadata();
    if (token) all.set("authorization", `Bearer ${token}`);
    for (const [name, value] of Object.entries(more)) all.set(name, value);
    return all;
  };

  function unary<I extends DescMessage, O extends DescMessage>(
    path: string,
    input: I,
    request: MessageInitShape<I>,
    output: O,
    headers = metadata(),
  ) {
    return new Promise<MessageShape<O>>((resolve, reject) => {
      client.makeUnaryRequest(
        path,
        (value: Buffer) => value,
        (value: Buffer) => value,
        bytesOf(input, request as object),
        headers,
        { deadline: Date.now() + 5000 },
        (error, value) => (error ? reject(error) : resolve(fromBinary(output, value as Buffer))),
      );
    });
  }

  const getMe = (headers?: grpc.Metadata) => unary("/parlor.v1.UsersService/GetMe", GetMeRequestSchema, {}, GetMeResponseSchema, headers);
  const failing = async (promise: Promise<unknown>) =>
    failureOf(
      (await promise.then(
        () => assert.fail("it was answered"),
        (error) => error,
      )) as grpc.ServiceError,
    );

  test("a unary call carries the message, the caller, the request id and the deadline", async () => {
    server.api.answers.set("SendMessage", () => ({ duplicate: true }));
    const headers = metadata("good", { "x-request-id": "r-1" });
    const answer = await unary(
      "/parlor.v1.MessagesService/SendMessage",
      SendMessageRequestSchema,
      { roomId: "r", text: "hi" },
      SendMessageResponseSchema,
      headers,
    );
    assert.equal(answer.duplicate, true);
    const { request, call } = server.api.last;
    assert.equal((request as { text?: string }).text, "hi");
    const { deadline = 0, caller, ...rest } = call;
    assert.deepEqual({ ...rest, caller: caller?.username }, { requestId: "r-1", protocol: "grpc", address: "127.0.0.1", caller: "ada" });
    assert.ok(deadline > Date.now() && deadline < Date.now() + 60_000, "the deadline is the client's");
  });

  test("refusals carry the whole error", async () => {
    const violations = Array.from({ length: 900 }, (_, i) => ({ field: `member_ids[${i}]`, description: "must be a UUID in lower case" }));
    server.api.answers.set("GetMe", refusing(Code.INVALID_ARGUMENT, Reason.INVALID_FIELDS, "näh ".repeat(2000), { violations }));
    const { code, error, requestId } = await failing(getMe(metadata("good", { "x-request-id": "r-2" })));
    assert.equal(code, grpc.status.INVALID_ARGUMENT);
    assert.equal(error?.reason, Reason.INVALID_FIELDS);
    assert.equal(error?.requestId, "r-2");
    assert.equal(requestId, "r-2");
    assert.ok(error.violations.length > 20, "some of them, as many as fit into a header");
    server.api.answers.delete("GetMe");
  });

  test("a bad token, a bad message and an unknown method", async () => {
    assert.equal((await failing(getMe(metadata("bad")))).error?.reason, Reason.TOKEN_INVALID);
    const broken = unary("/parlor.v1.UsersService/GetMe", ServerFrameSchema, { events: [{}] }, GetMeResponseSchema);
    await broken;
    const unknown = await failing(unary("/parlor.v1.UsersService/Nope", GetMeRequestSchema, {}, GetMeResponseSchema));
    assert.equal(unknown.code, grpc.status.UNIMPLEMENTED);
    assert.equal(unknown.error?.reason, Reason.NO_SUCH_METHOD);
  });

  test("a message over the limit, and a compressed one", async () => {
    const send = (text: string, options = metadata()) =>
      unary("/parlor.v1.MessagesService/SendMessage", SendMessageRequestSchema, { text }, SendMessageResponseSchema, options);
    const large = await failing(send("x".repeat(65_536)));
    assert.equal(large.code, grpc.status.RESOURCE_EXHAUSTED);
    assert.equal(large.error?.reason, Reason.TOO_LARGE);
    const packed = new grpc.Client(`127.0.0.1:${server.port}`, grpc.credentials.createInsecure(), {
      "grpc.default_compression_algorithm": grpc.compressionAlgorithms.gzip,
      "grpc.use_local_subchannel_pool": 1,
    });
    const same = (value: Buffer) => value;
    const compressed = await failing(
      new Promise((resolve, reject) => {
        packed.makeUnaryRequest("/parlor.v1.UsersService/GetMe", same, same, Buffer.alloc(2000), metadata(), (error, value) =>
          error ? reject(error) : resolve(value),
        );
      }),
    );
    packed.close();
    assert.equal(compressed.code, grpc.status.UNIMPLEMENTED);
    assert.equal(compressed.error?.reason, Reason.UNSUPPORTED_MEDIA_TYPE);
  });

  function connect(headers = metadata()) {
    const call = client.makeBidiStreamRequest(
      connectPath,
      (value: Buffer) => value,
      (value: Buffer) => fromBinary(ServerFrameSchema, value),
      headers,
    );
    const ended = new Promise<Failure>((resolve) => call.on("status", (status) => resolve(failureOf(status))));
    call.on("error", () => {});
    const frames: ServerFrame[] = [];
    const waiting: (() => void)[] = [];
    call.on("data", (frame: ServerFrame) => {
      frames.push(frame);
      for (const wake of waiting.splice(0)) wake();
    });
    const frame = async (i: number): Promise<ServerFrame> => {
      while (frames.length <= i) await new Promise<void>((resolve) => waiting.push(resolve));
      return frames[i] as ServerFrame;
    };
    return {
      call,
      ended,
      frame,
      send: (value: MessageInitShape<typeof ClientFrameSchema>) => call.write(bytesOf(ClientFrameSchema, value as object)),
    };
  }

  test("the stream carries frames both ways, and shared batches", async () => {
    const opened = server.realtime.next();
    const stream = connect();
    const connection = await opened;
    assert.equal(connection.origin.token, "good");
    stream.send({ id: 7, kind: { case: "ping", value: {} } });
    assert.equal((await stream.frame(0)).replies[0]?.id, 7);
    const events = ["a".repeat(10), "b".repeat(300), "c".repeat(40_000)].map((actorId, i) =>
      RoomEvent.of(create(EventSchema, { roomId: "r", seq: i + 1, actorId })),
    );
    connection.sink.write(eventsFrame(connection.sink, events));
    const batch = await stream.frame(1);
    assert.deepEqual(
      batch.events.map(({ seq, actorId }) => [seq, actorId.length]),
      [
        [1, 10],
        [2, 300],
        [3, 40_000],
      ],
    );
    await connection.sink.drained();
    assert.equal(connection.sink.queuedBytes, 0);
    connection.sink.beat();
    await connection.until("alive");
    stream.call.cancel();
    await connection.until("closed");
  });

  test("a goodbye is the last frame, and its reason is the status", async () => {
    const opened = server.realtime.next();
    const stream = connect();
    const error = new ParlorError(Code.UNAUTHENTICATED, Reason.SESSION_REVOKED, "The session was ended.");
    (await opened).sink.end(create(GoodbyeSchema, { reason: Goodbye_Reason.SESSION_REVOKED, error: error.toWire() }));
    assert.equal((await stream.frame(0)).goodbye?.reason, Goodbye_Reason.SESSION_REVOKED);
    const { code, error: told } = await stream.ended;
    assert.equal(code, grpc.status.UNAUTHENTICATED);
    assert.equal(told?.reason, Reason.SESSION_REVOKED);
  });

  test("a client that has said its last word may go on listening", async () => {
    const opened = server.realtime.next();
    const stream = connect();
    const connection = await opened;
    stream.send({ id: 1, kind: { case: "ping", value: {} } });
    stream.call.end();
    await stream.frame(0);
    connection.sink.write(connection.sink.encode(create(ServerFrameSchema, { replies: [{ id: 99 }] })));
    assert.equal((await stream.frame(1)).replies[0]?.id, 99);
    assert.ok(!connection.log.includes("closed"));
    stream.call.cancel();
    await connection.until("closed");
  });

  test("a frame over the limit ends its stream alone", async () => {
    const openedOne = server.realtime.next();
    const one = connect();
    const first = await openedOne;
    const openedTwo = server.realtime.next();
    const two = connect();
    await openedTwo;
    one.send({ id: 1, kind: { case: "send", value: { text: "x".repeat(70_000) } } });
    assert.equal((await one.ended).error?.reason, Reason.TOO_LARGE);
    assert.deepEqual(
      first.log.filter((entry) => entry.startsWith("reject")),
      ["reject FRAME_TOO_LARGE TOO_LARGE"],
    );
    two.send({ id: 2, kind: { case: "ping", value: {} } });
    assert.equal((await two.frame(0)).replies[0]?.id, 2);
    two.call.cancel();
  });

  test("a stream that does not read leaves its neighbours alone, and is cut", async () => {
    const openedOne = server.realtime.next();
    const one = client.makeBidiStreamRequest(
      connectPath,
      (value: Buffer) => value,
      (value: Buffer) => value,
      metadata(),
    );
    one.on("error", () => {});
    one.pause();
    const stuck: FakeConnection = await openedOne;
    const openedTwo = server.realtime.next();
    const two = connect();
    const moving = await openedTwo;
    const batch = eventsFrame(stuck.sink, [RoomEvent.of(create(EventSchema, { actorId: "x".repeat(50_000) }))]);
    for (let i = 0; i < 40; i++) stuck.sink.write(batch);
    assert.ok(stuck.sink.queuedBytes > 1_000_000, `${stuck.sink.queuedBytes} bytes wait`);
    for (let i = 0; i < 40; i++) moving.sink.write(batch);
    await two.frame(39);
    await moving.sink.drained();
    stuck.sink.end(create(GoodbyeSchema, { reason: Goodbye_Reason.SLOW_CONSUMER }));
    await stuck.until("closed");
    assert.equal(stuck.sink.queuedBytes, 0);
    two.call.cancel();
    one.cancel();
  });

  test("the deadline of a stream is kept", async () => {
    const call = client.makeBidiStreamRequest(
      connectPath,
      (value: Buffer) => value,
      (value: Buffer) => value,
      metadata(),
      { deadline: Date.now() + 200 },
    );
    call.on("error", () => {});
    const { code } = await new Promise<grpc.StatusObject>((resolve) => call.on("status", resolve));
    assert.equal(code, grpc.status.DEADLINE_EXCEEDED);
  });

  test("health and reflection", async () => {
    const same = (value: Buffer) => value;
    const healthy = await new Promise<Buffer>((resolve, reject) => {
      client.makeUnaryRequest("/grpc.health.v1.Health/Check", same, same, Buffer.alloc(0), (error, value) =>
        error ? reject(error) : resolve(value as Buffer),
      );
    });
    assert.deepEqual([...healthy], [8, 1]);
    // file_containing_symbol, field 4
    const symbol = "parlor.v1.RoomsService";
    const question = Buffer.concat([Buffer.from([0x22, symbol.length]), Buffer.from(symbol)]);
    const call = client.makeBidiStreamRequest("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", same, same);
    const answer = await new Promise<Buffer>((resolve, reject) => {
      call.on("data", resolve);
      call.on("error", reject);
      call.write(question);
    });
    call.cancel();
    call.on("error", () => {});
    assert.ok(answer.includes("google/api/annotations.proto") && answer.includes("ListMyRooms"));
    assert.ok(FileDescriptorProtoSchema.typeName);
  });
});

test("a drained server says NOT_SERVING and GOAWAY, and open streams go on", async () => {
  await using server = await rig();
  const client = new grpc.Client(`127.0.0.1:${server.port}`, grpc.credentials.createInsecure());
  const same = (value: Buffer) => value;
  const opened = server.realtime.next();
  const stream = client.makeBidiStreamRequest(connectPath, same, same);
  stream.on("error", () => {});
  const connection = await opened;
  const watch = client.makeServerStreamRequest("/grpc.health.v1.Health/Watch", same, same, Buffer.alloc(0));
  watch.on("error", () => {});
  const next = (call: grpc.ClientReadableStream<Buffer>) => new Promise<Buffer>((resolve) => call.once("data", resolve));
  assert.deepEqual([...(await next(watch))], [8, 1]);
  const changed = next(watch);
  server.listener.drain();
  assert.deepEqual([...(await changed)], [8, 2]);
  const late = await new Promise<grpc.ServiceError | null>((resolve) => {
    client.makeUnaryRequest("/grpc.health.v1.Health/Check", same, same, Buffer.alloc(0), { deadline: Date.now() + 2000 }, (error) =>
      resolve(error),
    );
  });
  assert.equal(late?.code, grpc.status.UNAVAILABLE);
  const heard = next(stream);
  connection.sink.write(connection.sink.encode(create(ServerFrameSchema, { replies: [{ id: 5 }] })));
  assert.equal(fromBinary(ServerFrameSchema, await heard).replies[0]?.id, 5);
  client.close();
});
