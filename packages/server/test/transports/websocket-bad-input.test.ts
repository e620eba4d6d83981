import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { ErrorSchema, Goodbye_Reason, GoodbyeSchema, ServerFrameSchema } from "@parlor/contract";
import { RawSocket } from "./raw-socket.ts";
import { type FakeConnection, type Rig, rig } from "./rig.ts";

const REQUEST = "GET /api/v1/realtime HTTP/1.1\r\nhost: x\r\n";
const UPGRADE = "connection: upgrade\r\nupgrade: websocket\r\n";
const KEY = "sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";
const VERSION = "sec-websocket-version: 13\r\n";

/** A client's frame: its first byte, the second with the length that it claims, a mask of zeros, and the payload as it is. */
function frame(
  first: number,
  payload: string | Buffer = "",
  { masked = true, length = Buffer.byteLength(payload) as number | bigint } = {},
): Buffer {
  const bit = masked ? 0x80 : 0;
  const extended = Buffer.alloc(length < 126 ? 0 : length < 65_536 ? 2 : 8);
  if (extended.length === 2) extended.writeUInt16BE(Number(length));
  if (extended.length === 8) extended.writeBigUInt64BE(BigInt(length));
  const short = extended.length === 0 ? Number(length) : extended.length === 2 ? 126 : 127;
  return Buffer.concat([Buffer.from([first, bit | short]), extended, Buffer.alloc(masked ? 4 : 0), Buffer.from(payload as string)]);
}

const TEXT = 0x81;
const PING = 0x89;
const PINGED = '{"id":1,"ping":{}}';

/** The code in the close frame with which the server ended; 1006 when there was none. */
function closeCode(heard: Buffer): number {
  let at = heard.indexOf("\r\n\r\n") + 4;
  while (at < heard.length) {
    const short = (heard[at + 1] as number) & 0x7f;
    const header = short === 126 ? 4 : 2;
    if (heard[at] === 0x88) return heard.readUInt16BE(at + 2);
    at += header + (short === 126 ? heard.readUInt16BE(at + 2) : short);
  }
  return 1006;
}

describe("bad WebSocket", () => {
  let server: Rig;
  before(async () => {
    server = await rig();
  });
  after(() => server[Symbol.asyncDispose]());

  async function open(): Promise<{ raw: RawSocket; connection: FakeConnection }> {
    const opened = server.realtime.next();
    const raw = await RawSocket.connect(server.port);
    raw.send(REQUEST, UPGRADE, KEY, VERSION, "\r\n");
    await raw.until((heard) => heard.includes("\r\n\r\n"));
    return { raw, connection: await opened };
  }

  async function refusal(...lines: string[]): Promise<string> {
    await using raw = await RawSocket.connect(server.port);
    raw.send(...lines, "\r\n");
    const answer = (await raw.closed).toString();
    assert.match(answer, /\r\nx-request-id: .*"requestId":/s);
    return answer.slice(9, 12);
  }

  test("handshakes", async () => {
    const opened = server.realtime.connections.length;
    assert.equal(await refusal(REQUEST, UPGRADE, KEY, "sec-websocket-version: 12\r\n"), "426");
    assert.equal(await refusal(REQUEST, UPGRADE, KEY), "426");
    assert.equal(await refusal(REQUEST, UPGRADE, VERSION), "400");
    assert.equal(await refusal(REQUEST, UPGRADE, VERSION, "sec-websocket-key: short\r\n"), "400");
    assert.equal(await refusal(REQUEST, UPGRADE, KEY, VERSION, "origin: https://evil.example\r\n"), "403");
    assert.equal(await refusal(REQUEST, UPGRADE, KEY, VERSION, "sec-websocket-protocol: a b\r\n"), "400");
    assert.equal(await refusal(REQUEST, UPGRADE, KEY, VERSION, "sec-websocket-protocol: soap\r\n"), "400");
    assert.equal(await refusal(REQUEST, UPGRADE, KEY, VERSION, "host: y\r\n"), "400");
    assert.equal(await refusal(REQUEST.replace("GET", "POST"), UPGRADE, KEY, VERSION), "405");
    assert.equal(server.realtime.connections.length, opened);
  });

  test("compression is not agreed to", async () => {
    await using raw = await RawSocket.connect(server.port);
    raw.send(REQUEST, UPGRADE, KEY, VERSION, "sec-websocket-extensions: permessage-deflate; client_max_window_bits\r\n\r\n");
    const answer = await raw.until((heard) => heard.includes("\r\n\r\n"));
    assert.doesNotMatch(answer.toString(), /extensions/i);
  });

  const breaches: readonly (readonly [string, number, readonly Buffer[]])[] = [
    ["not masked", 1002, [frame(TEXT, PINGED, { masked: false })]],
    ["a reserved bit", 1002, [frame(0xc1, PINGED)]],
    ["the other reserved bits", 1002, [frame(0xb1, PINGED)]],
    ["a reserved opcode", 1002, [frame(0x83, PINGED)]],
    ["a reserved control opcode", 1002, [frame(0x8b)]],
    ["a continuation of nothing", 1002, [frame(0x80, "x")]],
    ["a new message within a message", 1002, [frame(0x01, "{"), frame(TEXT, "}")]],
    ["a fragmented ping", 1002, [frame(0x09, "x")]],
    ["a ping of 126 bytes", 1002, [frame(PING, "x".repeat(126))]],
    ["a close of one byte", 1002, [frame(0x88, "x")]],
    ["a close with a code that may not be sent", 1002, [frame(0x88, Buffer.from([0x03, 0xed]))]],
    ["a length of 2^63", 1009, [frame(TEXT, "", { length: 2n ** 63n })]],
    ["a length over the limit", 1009, [frame(TEXT, "", { length: 65_537 })]],
    ["fragments that are over the limit together", 1009, [frame(0x01, "x".repeat(40_000)), frame(0x80, "x".repeat(40_000))]],
    ["invalid UTF-8", 1007, [frame(TEXT, Buffer.from([0xc3, 0x28]))]],
    ["invalid UTF-8 in the last fragment", 1007, [frame(0x01, "{"), frame(0x00, " "), frame(0x80, Buffer.from([0xed, 0xa0, 0x80]))]],
  ];
  for (const [name, code, frames] of breaches) {
    test(`${name}: a goodbye, then ${code}`, async () => {
      const { raw, connection } = await open();
      raw.send(...frames);
      const heard = await raw.closed;
      assert.equal(closeCode(heard), code);
      assert.match(heard.toString("latin1"), code === 1009 ? /"goodbye":\{"reason":"FRAME_TOO_LARGE"/ : /"goodbye":\{"reason":"BAD_FRAME"/);
      await connection.until("closed");
    });
  }

  test("a million one-byte fragments", async () => {
    const { raw, connection } = await open();
    const fragments = Buffer.concat([frame(0x01, "x"), ...Array.from({ length: 10_000 }, () => frame(0x00, "x"))]);
    raw.socket.on("close", () => raw.socket.destroy());
    for (let i = 0; i < 100; i++) raw.send(fragments);
    await connection.until("closed");
    assert.deepEqual(connection.frames, []);
  });

  test("one byte at a time, in as many segments", async () => {
    const { raw, connection } = await open();
    for (const byte of frame(TEXT, PINGED)) {
      raw.send(Buffer.from([byte]));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await connection.until("receive ping");
    raw.socket.destroy();
  });

  test("10,001 frames in one write are all read, in order", async () => {
    const { raw, connection } = await open();
    raw.send(Buffer.concat(Array.from({ length: 10_001 }, (_, i) => frame(TEXT, `{"id":${i},"ping":{}}`))));
    while (connection.frames.length < 10_001) await new Promise<void>((resolve) => (connection.onChange = resolve));
    assert.ok(connection.frames.every(({ id }, i) => id === i));
    raw.socket.destroy();
  });

  test("pings of a client that does not read pile up nothing", async () => {
    const { raw, connection } = await open();
    raw.socket.pause();
    const pings = Buffer.concat(Array.from({ length: 2000 }, () => frame(PING, "x".repeat(125))));
    let most = 0;
    for (let i = 0; i < 200; i++) {
      await new Promise<void>((resolve) => void raw.socket.write(pings, () => resolve()));
      most = Math.max(most, connection.sink.queuedBytes);
    }
    assert.ok(most < 64 * 1024, `${most} bytes were queued`);
    raw.socket.destroy();
    await connection.until("closed");
  });

  test("a client that does not take the goodbye is cut, and is forgotten", async () => {
    const { raw, connection } = await open();
    raw.socket.pause();
    const error = create(ErrorSchema, { message: "x".repeat(500_000) });
    const large = connection.sink.encode(create(ServerFrameSchema, { replies: [{ result: { case: "error", value: error } }] }));
    for (let i = 0; i < 20; i++) connection.sink.write(large);
    connection.sink.end(create(GoodbyeSchema, { reason: Goodbye_Reason.SLOW_CONSUMER }));
    await connection.until("closed");
    assert.equal(connection.sink.queuedBytes, 0);
    raw.socket.destroy();
  });
});
