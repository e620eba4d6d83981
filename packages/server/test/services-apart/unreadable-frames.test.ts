// A realtime service that sends what a gateway cannot read: it costs one client its connection, and nobody else anything.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { ClientFrameSchema, ServerFrameSchema } from "@parlor/contract";
import { WebSocket } from "ws";
import { loadConfig, type RunningServer, startServer } from "../../src/index.ts";
import { faultLog, testEnvironment } from "../support/running.ts";
import { serviceToken } from "../support/services-apart.ts";

interface Told {
  readonly welcome?: object;
  readonly goodbye?: { readonly reason: string; readonly reconnect: boolean; readonly reconnectAfterMs: number };
}

const roomId = "01928f6e-0000-7000-8000-000000000001";
const welcome = toBinary(ServerFrameSchema, create(ServerFrameSchema, { welcome: {} }));
const place = Buffer.concat([Buffer.from([0x0a, 36]), Buffer.from(roomId)]);
/** A ServerFrame with one event, which says where it belongs and then makes no sense. */
const eventOf = (seq: number): Buffer => {
  const event = Buffer.concat([place, Buffer.from(seq === 0 ? [] : [0x10, seq]), Buffer.from([0xff, 0xff])]);
  return Buffer.concat([Buffer.from([0x12, event.length]), event]);
};

/** What the realtime service answers, by the token of the hello. */
const answers: Readonly<Record<string, Uint8Array>> = {
  welcome,
  "a frame that is cut off": Buffer.from([0x0a, 0x7f]),
  "bytes that are no frame": Buffer.alloc(20, 0xff),
  "a durable event that is none": eventOf(7),
  "an ephemeral event that is none": eventOf(0),
};

const realtime = createServer().on("stream", (stream: ServerHttp2Stream) => {
  stream.on("error", () => undefined);
  stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
  stream.once("data", (bytes: Buffer) => {
    const { kind } = fromBinary(ClientFrameSchema, bytes.subarray(5));
    const message = answers[kind.case === "hello" ? kind.value.token : ""] ?? Buffer.alloc(0);
    const prefix = Buffer.alloc(5);
    prefix.writeUInt32BE(message.length, 1);
    stream.write(Buffer.concat([prefix, message]));
  });
});
const faults: string[] = [];
let gateway: RunningServer;

before(async () => {
  realtime.listen(0, "127.0.0.1");
  await once(realtime, "listening");
  const url = `http://127.0.0.1:${(realtime.address() as AddressInfo).port}`;
  const urls = ["AUTH", "USERS", "ROOMS", "MESSAGES", "REALTIME"].map((name) => [`PARLOR_${name}_URL`, url]);
  const env = { ...testEnvironment, ...Object.fromEntries(urls), PARLOR_SERVICES: "gateway", PARLOR_SERVICE_TOKEN: serviceToken };
  gateway = await startServer(loadConfig(env), { log: faultLog(faults) });
});
after(async () => {
  await gateway.close();
  realtime.close();
});

async function open(token: string): Promise<{ readonly socket: WebSocket; readonly told: Told }> {
  const socket = new WebSocket(`ws://127.0.0.1:${gateway.port}/api/v1/realtime`, "parlor.v1.json");
  await once(socket, "open");
  socket.send(JSON.stringify({ hello: { token } }));
  const [text] = (await once(socket, "message")) as [Buffer];
  return { socket, told: JSON.parse(text.toString()) as Told };
}

for (const token of Object.keys(answers).filter((name) => name !== "welcome")) {
  test(`${token} ends that one connection, from which its client can resume`, { timeout: 10_000 }, async () => {
    const other = await open("welcome");
    const { socket, told } = await open(token);
    const [code] = (await once(socket, "close")) as [number];
    assert.equal(code, 1011);
    assert.equal(told.goodbye?.reason, "INTERNAL");
    assert.equal(told.goodbye.reconnect, true);
    assert.ok(told.goodbye.reconnectAfterMs >= 250, "it is not to come back at once");
    assert.match(faults.splice(0).join("\n"), /cannot be read/);
    assert.equal(other.socket.readyState, WebSocket.OPEN);
    const next = await open("welcome");
    assert.ok(next.told.welcome);
    for (const { socket: left } of [other, next]) left.terminate();
  });
}
