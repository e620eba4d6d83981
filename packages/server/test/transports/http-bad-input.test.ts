import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { GetRoomRequest } from "@parlor/contract";
import { RawSocket } from "./raw-socket.ts";
import { type Rig, rig } from "./rig.ts";

const ROOM = "018f0000-0000-7000-8000-0000000000aa";
const MESSAGES = `/api/v1/rooms/${ROOM}/messages`;
const HEAD = `POST ${MESSAGES} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer good\r\ncontent-type: application/json\r\n`;

describe("bad HTTP", () => {
  let server: Rig;
  let pid: number;
  before(async () => {
    server = await rig({ patience: { headersMs: 300, requestMs: 600 } });
    pid = process.pid;
  });
  after(async () => {
    const response = await fetch(`${server.url}/healthz`);
    assert.deepEqual([response.status, process.pid], [200, pid], "the server lives on");
    await server[Symbol.asyncDispose]();
  });

  const post = (body: string | Uint8Array, type: string | null = "application/json", path = MESSAGES) =>
    fetch(server.url + path, {
      method: "POST",
      body: body as BodyInit,
      headers: { authorization: "Bearer good", ...(type && { "content-type": type }) },
    });
  const outcome = async (response: Response): Promise<[number, string]> => [
    response.status,
    ((await response.json()) as { reason: string }).reason,
  ];

  const utf16 = Buffer.from('{"text":"a"}', "utf16le");
  const bodies: readonly (readonly [string, string | Uint8Array])[] = [
    ["null", "null"],
    ["an array", "[]"],
    ["a string", '"x"'],
    ["a number", "123"],
    ["truncated", '{"text":"a'],
    ["two documents", '{"text":"a"}{"text":"b"}'],
    ["a name twice", '{"text":"a","text":"b"}'],
    ["a name twice, once escaped", '{"text":"a","\\u0074ext":"b"}'],
    ["10,000 deep", `{"text":${"[".repeat(10_000)}${"]".repeat(10_000)}}`],
    ["UTF-16", utf16],
    ["a byte order mark", '\ufeff{"text":"a"}'],
    ["invalid UTF-8", Buffer.from([...Buffer.from('{"text":"'), 0xc3, 0x28, ...Buffer.from('"}')])],
    ["a raw NUL", '{"text":"a\0"}'],
  ];
  for (const [name, body] of bodies) {
    test(`body: ${name} is 400 MALFORMED`, async () => {
      const before = server.api.calls.length;
      assert.deepEqual(await outcome(await post(body)), [400, "MALFORMED"]);
      assert.equal(server.api.calls.length, before, "nothing was called");
    });
  }

  test("body: unknown fields and wrong types are all named", async () => {
    const response = await post('{"text":1,"seq":2,"authorId":"x","__proto__":{"a":1},"constructor":1}');
    const { reason, violations } = (await response.json()) as { reason: string; violations: { field: string }[] };
    assert.deepEqual([response.status, reason], [400, "INVALID_FIELDS"]);
    assert.deepEqual(violations.map(({ field }) => field).sort(), ["__proto__", "authorId", "constructor", "seq", "text"]);
    assert.equal(({} as { a?: number }).a, undefined);
  });

  test("body: at the limit it is read, one byte more is 413", async () => {
    const fill = (bytes: number) => `{"text":"${"x".repeat(bytes - 11)}"}`;
    assert.equal((await post(fill(65_536))).status, 200);
    assert.deepEqual(await outcome(await post(fill(65_537))), [413, "TOO_LARGE"]);
  });

  test("body: 10 MB are not read, with their length told or not", async () => {
    await using told = await RawSocket.connect(server.port);
    told.send(HEAD, "content-length: 10485760\r\n\r\n", "{".padEnd(1000));
    assert.match((await told.closed).toString(), /^HTTP\/1.1 413 .*connection: close.*"TOO_LARGE"/s);
    await using chunked = await RawSocket.connect(server.port);
    chunked.send(HEAD, "transfer-encoding: chunked\r\n\r\n10001\r\n", "x".repeat(65_537));
    assert.match((await chunked.closed).toString(), /^HTTP\/1.1 413 /);
  });

  test("body: whoever is not signed in is not read, or up to 16 KiB", async () => {
    await using stranger = await RawSocket.connect(server.port);
    stranger.send(`POST ${MESSAGES} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 60000\r\n\r\n`);
    assert.match((await stranger.closed).toString(), /^HTTP\/1.1 401 .*connection: close.*"TOKEN_MISSING"/s);
    assert.equal((await post(`{"username":"${"x".repeat(17_000)}"}`, "application/json", "/api/v1/auth/login")).status, 413);
  });

  test("content types", async () => {
    for (const type of [
      "text/plain",
      "application/x-www-form-urlencoded",
      "application/json; charset=utf-16",
      "application/jsonp",
      "nonsense",
      "multipart/form-data; boundary=x",
    ]) {
      assert.deepEqual(await outcome(await post("{}", type)), [415, "UNSUPPORTED_MEDIA_TYPE"], type);
    }
    assert.equal((await post(Buffer.from("{}"), null)).status, 415);
    assert.equal((await post("{}", 'application/json; charset="UTF-8"')).status, 200);
  });

  const get = (path: string) => fetch(server.url + path, { headers: { authorization: "Bearer good" } });
  const fieldOf = async (response: Response): Promise<[number, string, string | undefined]> => {
    const { reason, violations } = (await response.json()) as { reason: string; violations: { field: string }[] };
    return [response.status, reason, violations[0]?.field];
  };

  test("query: what is unknown, repeated, bracketed or of another type is named", async () => {
    for (const [query, field] of [
      ["page_size=1&page_size=2", "page_size"],
      ["page_size=1&pageSize=2", "page_size"],
      ["page_size[]=1", "page_size[]"],
      ["page_size[a]=1", "page_size[a]"],
      ["__proto__=1", "__proto__"],
      ["nope", "nope"],
      ["page_size=x", "page_size"],
      ["page_size=", "page_size"],
      ["page_size=-1", "page_size"],
      ["page_size=1.5", "page_size"],
      ["page_size=0x10", "page_size"],
      ["page_size=4294967296", "page_size"],
      ["page_size=9007199254740992", "page_size"],
      ["page_size=9223372036854775808", "page_size"],
    ] as const) {
      assert.deepEqual(await fieldOf(await get(`${MESSAGES}?${query}`)), [400, "INVALID_FIELDS", field], query);
    }
    for (const query of ["before_seq=%C3%28", "before_seq=%zz", "before_seq=%"])
      assert.deepEqual(await outcome(await get(`${MESSAGES}?${query}`)), [400, "MALFORMED"], query);
  });

  /** The first line of the answer to what is not quite HTTP; the connection must be closed with it. */
  async function statusOf(...parts: (string | Buffer)[]): Promise<string> {
    await using raw = await RawSocket.connect(server.port);
    raw.send(...parts);
    const answer = (await raw.closed).toString();
    if (!answer.startsWith("HTTP/1.1 200")) assert.match(answer, /\r\nx-request-id: .*"reason":\s*"[A-Z_]+"/s);
    return answer.slice(9, 12);
  }

  const GET = "GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n";

  test("paths that lead elsewhere", async () => {
    const path = (path: string) => statusOf(`GET ${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer good\r\n\r\n`);
    assert.equal(await path("/api/v1/rooms/%zz"), "400");
    assert.equal(await path("/api/v1/rooms/%c3%28"), "400");
    assert.equal(await path(`/api/v1/rooms/${"a".repeat(8192)}`), "400");
    assert.equal(await path("/docs/..%2f..%2fpackage.json"), "404");
    assert.equal(await path("/docs/../../package.json"), "400");
    assert.equal(await path("//evil.example/%2e%2e"), "404");
    // Decoded, and left for the contract's rules to refuse: an id is a UUID.
    assert.equal(await path("/api/v1/rooms/%00"), "200");
    assert.equal((server.api.last.request as GetRoomRequest).roomId, "\0");
    assert.equal(await path("/api/v1/rooms/..%2f..%2fusers"), "200");
    assert.equal((server.api.last.request as GetRoomRequest).roomId, "../../users");
  });

  test("framing that two readers could read in two ways is refused, and the connection closed", async () => {
    assert.equal(await statusOf(HEAD, "content-length: 2\r\ncontent-length: 3\r\n\r\n{}"), "400");
    assert.equal(await statusOf(HEAD, "content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"), "400");
    assert.equal(await statusOf(HEAD, "transfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n"), "400");
    assert.equal(await statusOf(HEAD, "transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n{}"), "400");
    assert.equal(await statusOf(HEAD, "transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n"), "400");
    assert.equal(await statusOf(HEAD.replaceAll("\r\n", "\n"), "content-length: 2\n\n{}"), "400");
    assert.equal(await statusOf(GET, "x\rbad: 1\r\n\r\n"), "400");
    assert.equal(await statusOf(GET, " folded: 1\r\n\r\n"), "400");
    assert.equal(await statusOf(GET, "host : y\r\n\r\n"), "400");
    assert.equal(await statusOf("GET /healthz HTTP/1.1\r\n\r\n"), "400");
  });

  test("headers: two hosts, two tokens, too many, too large", async () => {
    assert.equal(await statusOf(GET, "host: y\r\n\r\n"), "400");
    assert.equal(await statusOf(GET, "authorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n"), "400");
    assert.equal(await statusOf(GET, "x: y\r\n".repeat(2000), "\r\n"), "431");
    assert.equal(await statusOf(GET, "x: y\r\n".repeat(101), "\r\n"), "431");
    assert.equal(await statusOf(GET, `x: ${"y".repeat(65_536)}\r\n\r\n`), "431");
    assert.equal(await statusOf(GET, "\r\n"), "200");
  });

  test("methods that are not served", async () => {
    assert.equal(await statusOf("TRACE / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"), "405");
    assert.equal(await statusOf("BREW / HTTP/1.1\r\nhost: x\r\n\r\n"), "400");
    await using tunnel = await RawSocket.connect(server.port);
    tunnel.send("CONNECT evil.example:443 HTTP/1.1\r\nhost: evil.example\r\n\r\n");
    assert.doesNotMatch((await tunnel.closed).toString(), /^HTTP\/1.1 2/);
  });

  test("other upgrades are answered in HTTP/1.1", async () => {
    assert.equal(
      await statusOf(GET.replace("close", "close, upgrade, http2-settings"), "upgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n\r\n"),
      "200",
    );
  });

  test("slow headers, a slow body, and silence are cut", async () => {
    assert.equal(await statusOf("GET / HTT"), "408");
    assert.equal(await statusOf(HEAD, "content-length: 5\r\n\r\n{"), "408");
    assert.match(await statusOf(HEAD, "content-length: 5\r\nexpect: 100-continue\r\n\r\n"), /100|408/);
    await using silent = await RawSocket.connect(server.port);
    assert.equal((await silent.closed).length, 0);
    await using halfPreface = await RawSocket.connect(server.port);
    halfPreface.send("PR");
    assert.equal((await halfPreface.closed).length, 0);
  });

  test("what is no protocol, and MQTT where it is not served", async () => {
    assert.equal(await statusOf(Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01])), "400");
    await using mqtt = await RawSocket.connect(server.port);
    mqtt.send(Buffer.from([0x10, 0x00]));
    assert.equal((await mqtt.closed).length, 0);
  });

  test("a request that is reset right after it was sent hurts nobody", async () => {
    const asked = server.api.calls.length;
    for (let i = 0; i < 20; i++) {
      const raw = await RawSocket.connect(server.port);
      raw.send(HEAD, "content-length: 12\r\n\r\n", '{"text":"a"}');
      raw.socket.resetAndDestroy();
      await raw.closed;
    }
    assert.equal((await post('{"text":"after"}')).status, 200);
    assert.ok(server.api.calls.length > asked);
  });
});

test("connections of one address are capped, and places become free again", async () => {
  await using server = await rig({ connectionsPerAddress: 3 });
  const open = await Promise.all([1, 2, 3].map(() => RawSocket.connect(server.port)));
  await using fourth = await RawSocket.connect(server.port);
  assert.equal((await fourth.closed).length, 0);
  const gone = open[0] as RawSocket;
  const request = "GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
  assert.match((await gone.send(request).closed).toString(), /^HTTP\/1.1 200/);
  await using again = await RawSocket.connect(server.port);
  assert.match((await again.send(request).closed).toString(), /^HTTP\/1.1 200/);
  for (const raw of open) raw.socket.destroy();
});

test("a byte at a time is told apart like all at once", async () => {
  await using server = await rig();
  await using raw = await RawSocket.connect(server.port);
  for (const byte of "PATCH /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n") {
    raw.send(byte);
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.match((await raw.closed).toString(), /^HTTP\/1.1 405/);
});
