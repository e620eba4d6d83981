import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Code, Reason, type SearchUsersRequest, type SendMessageRequest, type UpdateRoomRequest } from "@parlor/contract";
import { type Rig, refusing, rig } from "./rig.ts";

const ROOM = "018f0000-0000-7000-8000-0000000000aa";

describe("REST", () => {
  let server: Rig;
  before(async () => {
    server = await rig();
  });
  after(() => server[Symbol.asyncDispose]());

  const ask = (path: string, init: RequestInit = {}, token: string | null = "good") =>
    fetch(server.url + path, {
      redirect: "manual",
      ...init,
      headers: { ...(token && { authorization: `Bearer ${token}` }), ...init.headers },
    });
  const json = { "content-type": "application/json" };

  test("maps path, body and caller", async () => {
    const response = await ask(`/api/v1/rooms/${ROOM}/messages`, {
      method: "POST",
      headers: json,
      body: '{"text":"hi","clientMessageId":"k"}',
    });
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("content-type"), "application/json; charset=utf-8");
    const { request, call } = server.api.last;
    const { roomId, text, clientMessageId } = request as SendMessageRequest;
    assert.deepEqual({ roomId, text, clientMessageId }, { roomId: ROOM, text: "hi", clientMessageId: "k" });
    assert.equal(call.caller?.username, "ada");
    assert.equal(call.address, "127.0.0.1");
    assert.equal(response.headers.get("x-request-id"), call.requestId);
    assert.deepEqual(await response.json(), { duplicate: false });
  });

  test("maps the query under both names, and answers fields with their empty values", async () => {
    const response = await ask("/api/v1/users?query=a+b%26&page_size=7&pageToken=t");
    const { query, pageSize, pageToken } = server.api.last.request as SearchUsersRequest;
    assert.deepEqual({ query, pageSize, pageToken }, { query: "a b&", pageSize: 7, pageToken: "t" });
    assert.deepEqual(await response.json(), { users: [], nextPageToken: "" });
  });

  test("an emoji in the path arrives whole", async () => {
    const emoji = "👩‍❤️‍💋‍👨";
    await ask(`/api/v1/rooms/${ROOM}/messages/${ROOM}/reactions/${encodeURIComponent(emoji)}`, { method: "PUT" });
    assert.equal((server.api.last.request as { emoji?: string }).emoji, emoji);
  });

  test("the path may be repeated in the body, and not contradicted", async () => {
    const room = (id: string) =>
      ask(`/api/v1/rooms/${ROOM}`, { method: "PATCH", headers: json, body: JSON.stringify({ roomId: id, topic: "t" }) });
    assert.equal((await room(ROOM)).status, 200);
    assert.equal((server.api.last.request as UpdateRoomRequest).topic, "t");
    const other = await room("018f0000-0000-7000-8000-0000000000bb");
    assert.equal(other.status, 400);
    assert.equal(((await other.json()) as { violations: { field: string }[] }).violations[0]?.field, "room_id");
  });

  test("a refusal has its status, its reason and when to try again", async () => {
    server.api.answers.set("GetMe", refusing(Code.RESOURCE_EXHAUSTED, Reason.RATE_LIMITED, "Slow down.", { retryAfterMs: 1200 }));
    const response = await ask("/api/v1/users/me", { headers: { "x-request-id": "mine-1" } });
    assert.equal(response.status, 429);
    assert.equal(response.headers.get("retry-after"), "2");
    assert.equal(response.headers.get("x-request-id"), "mine-1");
    const { code, reason, retryAfterMs, requestId } = (await response.json()) as Record<string, unknown>;
    assert.deepEqual(
      { code, reason, retryAfterMs, requestId },
      { code: "RESOURCE_EXHAUSTED", reason: "RATE_LIMITED", retryAfterMs: 1200, requestId: "mine-1" },
    );
  });

  test("a fault tells nothing of itself", async () => {
    server.api.answers.set("GetMe", () => {
      throw new Error("select * from secrets at /srv/parlor");
    });
    const response = await ask("/api/v1/users/me");
    assert.equal(response.status, 500);
    const body = await response.text();
    assert.match(body, /"reason":\s*"FAULT"/);
    assert.doesNotMatch(body, /secrets|srv/);
    server.api.answers.delete("GetMe");
  });

  test("tokens: none, a bad one, another scheme, one in the URL", async () => {
    for (const [token, header, reason] of [
      [null, {}, "TOKEN_MISSING"],
      ["bad", {}, "TOKEN_INVALID"],
      [null, { authorization: "Basic YTpi" }, "TOKEN_INVALID"],
    ] as const) {
      const response = await ask("/api/v1/users/me?access_token=good", { headers: header }, token);
      assert.equal(response.status, 401);
      assert.equal(response.headers.get("www-authenticate"), "Bearer");
      assert.equal(((await response.json()) as { reason: string }).reason, reason);
    }
  });

  test("an unknown path is 404, a wrong method 405 with what is allowed", async () => {
    const missing = await ask("/api/v1/nothing");
    assert.equal(missing.status, 404);
    assert.equal(((await missing.json()) as { reason: string }).reason, "NO_SUCH_METHOD");
    const wrong = await ask("/api/v1/users/me", { method: "DELETE" });
    assert.equal(wrong.status, 405);
    assert.equal(wrong.headers.get("allow"), "GET, HEAD, PATCH");
    const override = await ask("/api/v1/users/me", { method: "POST", headers: { "x-http-method-override": "GET" } });
    assert.equal(override.status, 405);
  });

  test("an empty body stands for an empty object, with or without a content type", async () => {
    for (const headers of [{}, json]) assert.equal((await ask(`/api/v1/rooms/${ROOM}/join`, { method: "POST", headers })).status, 200);
  });

  test("CORS: the same host and listed origins, never others, never with credentials", async () => {
    const origin = async (value: string) => (await ask("/api/v1/users/me", { headers: { origin: value } })).headers;
    assert.equal((await origin(server.url)).get("access-control-allow-origin"), server.url);
    for (const evil of ["null", "https://evil.example", `${server.url}.evil.example`, `https://127.0.0.1:${server.port}x`]) {
      assert.equal((await origin(evil)).get("access-control-allow-origin"), null);
    }
    assert.equal((await origin(server.url)).get("access-control-allow-credentials"), null);
    const preflight = await ask("/api/v1/users/me", {
      method: "OPTIONS",
      headers: { origin: server.url, "access-control-request-method": "PATCH", "access-control-request-headers": "authorization" },
    });
    assert.equal(preflight.status, 204);
    assert.match(preflight.headers.get("access-control-allow-methods") ?? "", /PATCH/);
  });

  test("the pages and documents are there, and need nothing from elsewhere", async () => {
    for (const path of [
      "/",
      "/docs/",
      "/docs/docs.js",
      "/docs/swagger-ui.css",
      "/docs/swagger-ui-bundle.js",
      "/openapi.json",
      "/asyncapi.json",
      "/.well-known/jwks.json",
      "/healthz",
      "/readyz",
      "/metrics",
    ]) {
      const response = await ask(path, {}, null);
      assert.equal(response.status, 200, path);
      await response.arrayBuffer();
    }
    assert.equal((await ask("/docs", {}, null)).headers.get("location"), "/docs/");
    assert.doesNotMatch(await (await ask("/docs/")).text(), /https?:/);
    assert.match((await ask("/docs/")).headers.get("content-security-policy") ?? "", /default-src 'self'/);
    for (const path of ["/docs/package.json", "/docs/index.html", "/docs/..%2fpackage.json", "/docs/%2e%2e/package.json"]) {
      assert.equal((await ask(path, {}, null)).status, 404, path);
    }
  });

  test("metrics are for this machine alone, and a proxy on it is not this machine", async () => {
    assert.equal((await ask("/metrics", { headers: { "x-forwarded-for": "203.0.113.9" } })).status, 404);
  });
});

test("readiness follows the store and the drain, liveness does not", async () => {
  let up = false;
  await using server = await rig({ ready: async () => up });
  assert.equal((await fetch(`${server.url}/readyz`)).status, 503);
  up = true;
  assert.equal((await fetch(`${server.url}/readyz`)).status, 200);
  assert.equal((await fetch(`${server.url}/healthz`)).status, 200);
});

test("an address behind a trusted proxy is the client's, and otherwise the connection's", async () => {
  const me = async (server: Rig, forwarded: string) => {
    await fetch(`${server.url}/api/v1/users/me`, { headers: { authorization: "Bearer good", "x-forwarded-for": forwarded } });
    return server.api.calls.at(-1)?.call.address;
  };
  await using trusting = await rig({ trustedProxies: ["127.0.0.0/8", "10.0.0.0/8"] });
  assert.equal(await me(trusting, "198.51.100.1, 203.0.113.9, 10.1.2.3"), "203.0.113.9");
  assert.equal(await me(trusting, "junk, 10.1.2.3"), "10.1.2.3");
  await using plain = await rig();
  assert.equal(await me(plain, "203.0.113.9"), "127.0.0.1");
});
