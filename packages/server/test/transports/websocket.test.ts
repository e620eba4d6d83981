import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { create, fromBinary, fromJsonString, toBinary } from "@bufbuild/protobuf";
import { ClientFrameSchema, EventSchema, Goodbye_Reason, GoodbyeSchema, type ServerFrame, ServerFrameSchema } from "@parlor/contract";
import { type ClientOptions, WebSocket } from "ws";
import { RoomEvent } from "../../src/domain/room-event.ts";
import { endings } from "../../src/transports/goodbyes.ts";
import { eventsFrame, type FakeConnection, type Rig, rig } from "./rig.ts";

interface Opened {
  readonly socket: WebSocket;
  readonly connection: FakeConnection;
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
  frame(i: number): Promise<ServerFrame>;
}

async function open(server: Rig, protocols: string[] = [], options: ClientOptions = {}): Promise<Opened> {
  const opened = server.realtime.next();
  const socket = new WebSocket(`ws://127.0.0.1:${server.port}/api/v1/realtime`, protocols, options);
  const frames: ServerFrame[] = [];
  const waiting: (() => void)[] = [];
  socket.on("message", (data: Buffer, isBinary) => {
    frames.push(isBinary ? fromBinary(ServerFrameSchema, data) : fromJsonString(ServerFrameSchema, data.toString()));
    for (const wake of waiting.splice(0)) wake();
  });
  const closed = new Promise<{ code: number; reason: string }>((resolve) =>
    socket.on("close", (code, reason) => resolve({ code, reason: reason.toString() })),
  );
  await new Promise((resolve, reject) => socket.on("open", resolve).on("error", reject));
  const frame = async (i: number): Promise<ServerFrame> => {
    while (frames.length <= i) await new Promise<void>((resolve) => waiting.push(resolve));
    return frames[i] as ServerFrame;
  };
  return { socket, connection: await opened, closed, frame };
}

/** The status of a refused handshake, and the reason of its error. */
function refused(server: Rig, protocols: string[], options: ClientOptions, path = "/api/v1/realtime"): Promise<[number, string]> {
  const socket = new WebSocket(`ws://127.0.0.1:${server.port}${path}`, protocols, options);
  socket.on("error", () => {});
  return new Promise((resolve, reject) => {
    socket.on("open", () => reject(new Error("it was opened")));
    socket.on("unexpected-response", async (_request, response) => {
      let body = "";
      for await (const chunk of response) body += chunk;
      resolve([response.statusCode as number, (JSON.parse(body) as { reason: string }).reason]);
    });
  });
}

describe("WebSocket", () => {
  let server: Rig;
  before(async () => {
    server = await rig({ allowedOrigins: ["https://chat.example.org"] });
  });
  after(() => server[Symbol.asyncDispose]());

  test("JSON unless asked otherwise; frames go both ways", async () => {
    const { socket, connection, frame } = await open(server, [], { headers: { authorization: "Bearer abc", "x-request-id": "w-1" } });
    assert.equal(socket.protocol, "");
    assert.deepEqual(connection.origin, { protocol: "websocket", address: "127.0.0.1", requestId: "w-1", token: "abc" });
    socket.send('{"id":3,"ping":{}}');
    assert.equal((await frame(0)).replies[0]?.id, 3);
    socket.close();
    await connection.until("closed");
  });

  test("the first known subprotocol is spoken", async () => {
    const { socket, connection, frame } = await open(server, ["other.v9", "parlor.v1.proto", "parlor.v1.json"]);
    assert.equal(socket.protocol, "parlor.v1.proto");
    socket.send(toBinary(ClientFrameSchema, create(ClientFrameSchema, { id: 4, kind: { case: "ping", value: {} } })));
    assert.equal((await frame(0)).replies[0]?.id, 4);
    assert.equal(connection.sink.formatFor(RoomEvent.of(create(EventSchema)))?.name, "websocket-proto");
    socket.terminate();
    await connection.until("closed");
  });

  for (const protocol of ["parlor.v1.json", "parlor.v1.proto"]) {
    test(`${protocol}: batches of every frame length come as they were`, async () => {
      const { socket, connection, frame } = await open(server, [protocol]);
      for (const [i, length] of [0, 30, 100, 40_000, 80_000].entries()) {
        const events = [1, 2].map((seq) => RoomEvent.of(create(EventSchema, { roomId: "r", seq, actorId: "ü".repeat(length / 2) })));
        connection.sink.write(eventsFrame(connection.sink, events));
        const got = await frame(i);
        assert.deepEqual(
          got.events,
          events.map(({ event }) => event),
        );
      }
      await connection.sink.drained();
      assert.equal(connection.sink.queuedBytes, 0);
      socket.terminate();
    });
  }

  test("every reason has its close code, after the goodbye", async () => {
    for (const reason of [Goodbye_Reason.SHUTDOWN, Goodbye_Reason.SLOW_CONSUMER, Goodbye_Reason.SESSION_REVOKED, Goodbye_Reason.INTERNAL]) {
      const { connection, closed, frame } = await open(server);
      connection.sink.end(create(GoodbyeSchema, { reason, reconnect: true, reconnectAfterMs: 7 }));
      assert.equal((await frame(0)).goodbye?.reason, reason);
      assert.deepEqual(await closed, { code: endings[reason].webSocket, reason: Goodbye_Reason[reason] });
      await connection.until("closed");
    }
    const codes = Object.values(endings).map(({ webSocket }) => webSocket);
    assert.equal(new Set(codes).size, codes.length);
  });

  test("pings are answered both ways", async () => {
    const { socket, connection } = await open(server);
    const ponged = new Promise((resolve) => socket.on("pong", resolve));
    socket.ping("x");
    await ponged;
    connection.log.length = 0;
    connection.sink.beat();
    await connection.until("alive");
    socket.terminate();
  });

  test("origins: the same host, listed ones, none; no others", async () => {
    for (const origin of [`http://127.0.0.1:${server.port}`, "https://chat.example.org"])
      (await open(server, [], { origin })).socket.terminate();
    for (const origin of [
      "null",
      "https://evil.example",
      "https://chat.example.org.evil.example",
      "https://evilchat.example.org",
      `http://127.0.0.1:${server.port}0`,
      "http://chat.example.org",
    ]) {
      assert.deepEqual(await refused(server, [], { origin }), [403, "ORIGIN_NOT_ALLOWED"], origin);
    }
  });

  test("handshakes that are refused", async () => {
    assert.deepEqual(await refused(server, ["graphql-ws"], {}), [400, "UNSUPPORTED_MEDIA_TYPE"]);
    assert.deepEqual(await refused(server, [], { headers: { authorization: "Basic x" } }), [401, "TOKEN_INVALID"]);
    assert.deepEqual(await refused(server, [], {}, "/api/v1/other"), [404, "NO_SUCH_METHOD"]);
    assert.deepEqual(await refused(server, [], { protocolVersion: 8 }), [426, "MALFORMED"]);
  });

  test("a frame that breaks the contract is answered, one that cannot be read is the end", async () => {
    const { socket, connection, frame, closed } = await open(server);
    socket.send('{"id":5,"send":{"roomId":7,"nope":1}}');
    const { error } =
      (await frame(0)).replies[0]?.result.case === "error"
        ? { error: (await frame(0)).replies[0]?.result.value as { violations: { field: string }[] } }
        : assert.fail();
    assert.deepEqual(
      error.violations.map(({ field }) => field),
      ["send.room_id", "send.nope"],
    );
    socket.send('{"id":6,"ping":{}}');
    assert.equal((await frame(1)).replies[0]?.id, 6);
    socket.send("{");
    assert.equal((await closed).code, 4009);
    assert.ok(connection.log.includes("reject BAD_FRAME MALFORMED"));
  });

  const bad: readonly (readonly [string, string | Buffer, string])[] = [
    ["an array", "[]", "MALFORMED"],
    ["two documents", '{"id":1} {"id":2}', "MALFORMED"],
    ["a name twice", '{"id":1,"id":2,"ping":{}}', "MALFORMED"],
    ["deep nesting", `{"ping":${"[".repeat(10_000)}`, "MALFORMED"],
    ["an id of another type", '{"id":"x","ping":{}}', "INVALID_FIELDS"],
    ["a negative id", '{"id":-1,"ping":{}}', "INVALID_FIELDS"],
    ["binary on JSON", Buffer.from("{}"), "MALFORMED"],
  ];
  for (const [name, payload, reason] of bad) {
    test(`JSON: ${name} ends the connection`, async () => {
      const { socket, connection, closed, frame } = await open(server);
      socket.send(payload);
      assert.equal((await frame(0)).goodbye?.reason, Goodbye_Reason.BAD_FRAME);
      assert.equal((await closed).code, 4009);
      assert.ok(connection.log.includes(`reject BAD_FRAME ${reason}`));
    });
  }

  test("protobuf: text, and bytes that are none, end the connection", async () => {
    for (const payload of ["text", Buffer.from([0xff, 0xff]), Buffer.alloc(5000, 0x7b)]) {
      const { socket, closed } = await open(server, ["parlor.v1.proto"]);
      socket.send(payload);
      assert.equal((await closed).code, 4009);
    }
  });

  test("a message at the limit passes, one byte more is 1009 after a goodbye", async () => {
    const { socket, frame, closed } = await open(server);
    socket.send(`{"id":8,"ping":{}}${" ".repeat(65_536 - 18)}`);
    assert.equal((await frame(0)).replies[0]?.id, 8);
    socket.send(`{"id":9,"ping":{}}${" ".repeat(65_536 - 17)}`);
    assert.equal((await frame(1)).goodbye?.reason, Goodbye_Reason.FRAME_TOO_LARGE);
    assert.equal((await closed).code, 1009);
  });
});

test("a draining server opens no more streams, and its open ones go on", async () => {
  await using server = await rig();
  const { socket, frame } = await open(server);
  const agent = new (await import("node:http")).Agent({ keepAlive: true });
  await fetchVia(agent, server.port);
  server.listener.drain();
  assert.equal((await refused(server, [], { agent }))[0], 503);
  socket.send('{"id":1,"ping":{}}');
  assert.equal((await frame(0)).replies[0]?.id, 1);
  agent.destroy();
});

/** Opens a connection that a later request can use: a draining listener takes no new ones. */
async function fetchVia(agent: import("node:http").Agent, port: number): Promise<void> {
  const { get } = await import("node:http");
  await new Promise<void>((resolve) =>
    get({ agent, port, host: "127.0.0.1", path: "/healthz" }, (response) => response.resume().on("end", resolve)),
  );
}
