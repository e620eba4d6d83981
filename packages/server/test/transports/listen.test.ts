import assert from "node:assert/strict";
import { connect as connectHttp2 } from "node:http2";
import { test } from "node:test";
import { framesIn, PREFACE, settings, Type } from "./http2-frames.ts";
import { RawSocket } from "./raw-socket.ts";
import { rig } from "./rig.ts";

test("a port of its own for gRPC speaks nothing else, and the common one still does", async () => {
  await using server = await rig({ grpcPort: 0 });
  const { grpcPort, port } = server.listener;
  assert.ok(grpcPort !== undefined && grpcPort !== port);
  for (const one of [grpcPort, port]) {
    await using raw = await RawSocket.connect(one);
    raw.send(PREFACE, settings());
    await raw.until((heard) => framesIn(heard).some(({ type }) => type === Type.SETTINGS));
  }
  await using raw = await RawSocket.connect(grpcPort);
  raw.send("GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n");
  assert.equal((await raw.closed).length, 0);
});

test("a port that is taken is an error, and leaves nothing open", async () => {
  await using server = await rig();
  await assert.rejects(rig({ port: server.port }), { code: "EADDRINUSE" });
  await assert.rejects(rig({ grpcPort: server.port }), { code: "EADDRINUSE" });
});

test("closing ends every connection, of every protocol", async () => {
  const server = await rig();
  const http = await RawSocket.connect(server.port);
  http.send("GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n");
  await http.until((heard) => heard.includes("ok"));
  const silent = await RawSocket.connect(server.port);
  const opened = server.realtime.next();
  const session = connectHttp2(server.url);
  session.on("error", () => {});
  const stream = session.request({ ":method": "POST", ":path": "/parlor.v1.RealtimeService/Connect", "content-type": "application/grpc" });
  stream.on("error", () => {});
  const connection = await opened;
  const gone = new Promise((resolve) => session.once("close", resolve));
  await server.listener.close();
  await Promise.all([http.closed, silent.closed, gone, connection.until("closed")]);
  await assert.rejects(fetch(`${server.url}/healthz`));
});
