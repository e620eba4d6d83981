// What a gRPC server reads of somebody who is not signed in, and how long it waits for a request.
import assert from "node:assert/strict";
import { once } from "node:events";
import { type ClientHttp2Session, type ClientHttp2Stream, connect, type IncomingHttpHeaders } from "node:http2";
import { after, before, test } from "node:test";
import { fromBinary } from "@bufbuild/protobuf";
import { ErrorSchema, Reason } from "@parlor/contract";
import { message } from "../transports/http2-frames.ts";
import { type Rig, rig } from "../transports/rig.ts";

let server: Rig;
let session: ClientHttp2Session;
before(async () => {
  server = await rig({ patience: { headersMs: 200, requestMs: 300 } });
  session = connect(server.url);
});
after(async () => {
  session.destroy();
  await server[Symbol.asyncDispose]();
});

function call(path: string, headers: Record<string, string> = {}): ClientHttp2Stream {
  const stream = session.request({ ":method": "POST", ":path": path, "content-type": "application/grpc", te: "trailers", ...headers });
  stream.on("error", () => undefined);
  return stream;
}

async function reasonOf(stream: ClientHttp2Stream): Promise<string | undefined> {
  const [headers] = (await once(stream, "response")) as [IncomingHttpHeaders];
  const error = headers["parlor-error-bin"];
  return typeof error === "string" ? Reason[fromBinary(ErrorSchema, Buffer.from(error, "base64")).reason] : undefined;
}

const SIGN_UP = "/parlor.v1.AuthService/SignUp";

test("16 KiB are read of a stranger, and 64 KiB of who brings a token", async () => {
  const unknownField = (bytes: number): Buffer => {
    const payload = Buffer.alloc(bytes);
    payload.set([0xfa, 0x7f]);
    payload.set([((bytes - 5) & 0x7f) | 0x80, (((bytes - 5) >>> 7) & 0x7f) | 0x80, (bytes - 5) >>> 14], 2);
    return payload;
  };
  const answers: (string | undefined)[] = [];
  for (const [bytes, headers] of [
    [16 * 1024, {}],
    [16 * 1024 + 1, {}],
    [64 * 1024, { authorization: "Bearer good" }],
    [64 * 1024 + 1, { authorization: "Bearer good" }],
  ] as const) {
    const stream = call(SIGN_UP, headers);
    stream.end(message(unknownField(bytes)));
    answers.push(await reasonOf(stream));
    stream.close();
  }
  assert.deepEqual(answers, [undefined, "TOO_LARGE", undefined, "TOO_LARGE"]);
});

test("a request that is never finished is refused when its time is over", async () => {
  const stream = call(SIGN_UP);
  stream.write(message(Buffer.alloc(0), 0, 100));
  assert.equal(await reasonOf(stream), "TIMEOUT");
});

test("streams have no such time", async () => {
  const [slow, live] = [call(SIGN_UP), call("/parlor.v1.RealtimeService/Connect", { authorization: "Bearer good" })];
  const opened = server.realtime.next();
  const ended = once(live, "close").then(() => "ended");
  assert.equal(await reasonOf(slow), "TIMEOUT");
  await opened;
  assert.equal(await Promise.race([ended, Promise.resolve("open")]), "open");
  live.close();
});
