// Tokens that are none, at every door of the server; and nothing of a token or password in what the server writes.
import assert from "node:assert/strict";
import { createHmac, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { AuthService, ClientFrameSchema, GetMeRequestSchema, RealtimeService, UsersService } from "@parlor/contract";
import { SignJWT } from "jose";
import { WebSocket } from "ws";
import { clientDriver } from "../support/drivers/client.ts";
import type { Person } from "../support/drivers/driver.ts";
import { newName } from "../support/party.ts";
import { password } from "../support/running.ts";
import { type Target, target } from "./target.ts";
import { callGrpc, callRest, grpcPath, HostileStream, type Outcome, outcomeOf } from "./voices.ts";
import { Witness } from "./witness.ts";

const folder = mkdtempSync(join(tmpdir(), "parlor-hostile-"));
const own = generateKeyPairSync("ed25519");
const foreign = generateKeyPairSync("ed25519");
const now = Math.floor(Date.now() / 1000);
const secrets = new Set<string>([password]);

let server: Target;
let witness: Witness;
let mallory: Person;
let victim: Person;
let kid: string;
let claims: Record<string, unknown>;

before(async () => {
  const file = join(folder, "key.pem");
  writeFileSync(file, own.privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
  server = await target({ PARLOR_SIGNING_KEY_FILE: file });
  witness = await Witness.start(server);
  const driver = clientDriver(server.url, "json");
  [mallory, victim] = [await driver.signUp(newName()), await driver.signUp(newName())];
  kid = JSON.parse(partOf(mallory.token, 0)).kid;
  claims = JSON.parse(partOf(mallory.token, 1));
  for (const { token } of [mallory, victim]) secrets.add(token);
});
after(async () => {
  mallory.close();
  victim.close();
  await server[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

const partOf = (token: string, part: number): string => Buffer.from(token.split(".")[part] ?? "", "base64url").toString();
const base64 = (value: unknown): string => Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");

/** A token as the server makes them, but for these claims and parts of the header. */
function signed(claim: object, header: object = {}, key: KeyObject = own.privateKey): Promise<string> {
  const protectedHeader = { alg: "EdDSA", typ: "at+jwt", kid, ...header };
  return new SignJWT({ ...claims, ...claim }).setProtectedHeader(protectedHeader).sign(key);
}

/** A token with this text for its claims, rightly signed. */
function signedText(text: string): string {
  const body = `${base64({ alg: "EdDSA", typ: "at+jwt", kid })}.${base64(text)}`;
  return `${body}.${sign(null, Buffer.from(body), own.privateKey).toString("base64url")}`;
}

function hmacSigned(key: string | Buffer): string {
  const body = `${base64({ alg: "HS256", typ: "at+jwt", kid })}.${base64(claims)}`;
  return `${body}.${createHmac("sha256", key).update(body).digest("base64url")}`;
}

/** What each door of the server says to a token. */
function atEveryDoor(token: string): Promise<readonly Outcome[]> {
  const hello = toBinary(ClientFrameSchema, create(ClientFrameSchema, { kind: { case: "hello", value: { token } } }));
  return Promise.all([
    callRest(server.url, UsersService.method.getMe, {}, token),
    callGrpc(server.port, grpcPath(UsersService.method.getMe), toBinary(GetMeRequestSchema, create(GetMeRequestSchema)), token),
    callGrpc(server.port, grpcPath(RealtimeService.method.connect), hello, ""),
    callGrpc(
      server.port,
      grpcPath(RealtimeService.method.connect),
      toBinary(ClientFrameSchema, create(ClientFrameSchema, { kind: { case: "hello", value: {} } })),
      token,
    ),
    ...(["json", "proto"] as const).map((format) => helloOutcome(format, token)),
  ]);
}

async function helloOutcome(format: "json" | "proto", token: string): Promise<Outcome> {
  const stream = await HostileStream.connect(server.port, format);
  stream.frame({ kind: { case: "hello", value: { token } } });
  const { error, reason } = await stream.ended;
  return error ? outcomeOf(error) : { reason, fields: [] };
}

describe("tokens", () => {
  const forged: readonly (readonly [string, () => string | Promise<string>, string])[] = [
    ["alg none", () => `${base64({ alg: "none", typ: "at+jwt", kid })}.${base64(claims)}.`, "TOKEN_INVALID"],
    [
      "alg none with a signature",
      () => `${base64({ alg: "none", typ: "at+jwt", kid })}.${mallory.token.split(".").slice(1).join(".")}`,
      "TOKEN_INVALID",
    ],
    [
      "HS256 with the public key as PEM",
      () => hmacSigned(own.publicKey.export({ type: "spki", format: "pem" }) as string),
      "TOKEN_INVALID",
    ],
    [
      "HS256 with the public key as bytes",
      () => hmacSigned(Buffer.from(own.publicKey.export({ format: "jwk" }).x as string, "base64url")),
      "TOKEN_INVALID",
    ],
    ["an empty signature", () => `${mallory.token.split(".").slice(0, 2).join(".")}.`, "TOKEN_INVALID"],
    [
      "other claims under the signature",
      () => `${mallory.token.split(".")[0]}.${base64({ ...claims, sub: victim.user.id })}.${mallory.token.split(".")[2]}`,
      "TOKEN_INVALID",
    ],
    ["somebody else's key", () => signed({}, {}, foreign.privateKey), "TOKEN_INVALID"],
    ["another issuer", () => signed({ iss: "https://evil.example" }), "TOKEN_INVALID"],
    ["another audience", () => signed({ aud: "other" }), "TOKEN_INVALID"],
    ["expired", () => signed({ exp: now - 60, iat: now - 120, nbf: now - 120 }), "TOKEN_EXPIRED"],
    ["exp as a text", () => signed({ exp: String(now + 600) }), "TOKEN_INVALID"],
    ["exp of 1e99", () => signed({ exp: 1e99 }), "TOKEN_INVALID"],
    ["exp of 1e99 as written", () => signedText(JSON.stringify(claims).replace(/"exp":\d+/, '"exp":1e99')), "TOKEN_INVALID"],
    ["claims that are no JSON", () => signedText("{"), "TOKEN_INVALID"],
    ["claims that are a list", () => signedText("[]"), "TOKEN_INVALID"],
    ["exp in ten years", () => signed({ exp: now + 315_360_000 }), "TOKEN_INVALID"],
    ["no exp", () => signed({ exp: undefined }), "TOKEN_INVALID"],
    ["not yet", () => signed({ nbf: now + 600 }), "TOKEN_INVALID"],
    ["the type of another token", () => signed({}, { typ: "JWT" }), "TOKEN_INVALID"],
    ["the session of somebody else", () => signed({ sid: JSON.parse(partOf(victim.token, 1)).sid }), "TOKEN_INVALID"],
    ["a session that never was", () => signed({ sid: "018f0000-0000-7000-8000-000000000001" }), "SESSION_REVOKED"],
    ["a session that is no id", () => signed({ sid: "' or 1=1--" }), "TOKEN_INVALID"],
    ["kid as a path", () => signed({}, { kid: "../../../../dev/null" }), "TOKEN_INVALID"],
    ["kid as SQL", () => signed({}, { kid: "1' union select 1--" }), "TOKEN_INVALID"],
    ["kid of __proto__", () => signed({}, { kid: "__proto__" }), "TOKEN_INVALID"],
    [
      "crit",
      () => `${base64({ alg: "EdDSA", typ: "at+jwt", kid, crit: ["x"], x: 1 })}.${mallory.token.split(".").slice(1).join(".")}`,
      "TOKEN_INVALID",
    ],
    ["an API token made up", () => `parlor_${"0".repeat(32)}_${"A".repeat(43)}`, "TOKEN_INVALID"],
    ["nonsense", () => "x", "TOKEN_INVALID"],
    ["4,096 letters", () => "a".repeat(4096), "TOKEN_INVALID"],
  ];
  for (const [name, forge, reason] of forged) {
    test(`${name}: ${reason}`, async () => {
      const token = await forge();
      if (token.length > 20) secrets.add(token);
      assert.deepEqual(
        (await atEveryDoor(token)).map((outcome) => outcome.reason),
        Array(6).fill(reason),
      );
    });
  }

  test("refresh tokens and page tokens are no access tokens", async () => {
    const response = await fetch(`${server.url}/api/v1/auth/login`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ username: mallory.user.username, password }),
    });
    const { tokens } = (await response.json()) as { tokens: { refreshToken: string; accessToken: string } };
    for (const secret of Object.values(tokens)) if (secret.length > 30) secrets.add(secret);
    assert.deepEqual(new Set((await atEveryDoor(tokens.refreshToken)).map(({ reason }) => reason)), new Set(["TOKEN_INVALID"]));
    const refused = await callRest(server.url, AuthService.method.refreshTokens, { refreshToken: tokens.accessToken }, "");
    assert.equal(refused.reason, "TOKEN_INVALID");
  });

  test("keys that a token brings or points to are neither used nor fetched", async () => {
    let fetched = 0;
    const lure = createServer((_request, response) => {
      fetched++;
      response.end("{}");
    }).listen(0, "127.0.0.1");
    await once(lure, "listening");
    const url = `http://127.0.0.1:${(lure.address() as AddressInfo).port}/jwks.json`;
    const jwk = foreign.publicKey.export({ format: "jwk" });
    try {
      for (const header of [{ jku: url }, { x5u: url }, { jwk: jwk as never }, { jku: url, kid: url }]) {
        const token = await signed({}, header, foreign.privateKey);
        assert.deepEqual(new Set((await atEveryDoor(token)).map(({ reason }) => reason)), new Set(["TOKEN_INVALID"]));
      }
    } finally {
      lure.close();
    }
    assert.equal(fetched, 0);
  });

  test("a token in a URL is not taken", async () => {
    for (const name of ["token", "access_token", "authorization", "jwt"]) {
      assert.equal((await fetch(`${server.url}/api/v1/users/me?${name}=${mallory.token}`)).status, 401);
    }
    const webSocket = new WebSocket(`ws://127.0.0.1:${server.port}/api/v1/realtime?token=${mallory.token}`, "parlor.v1.json");
    await once(webSocket, "open");
    webSocket.send(`{"hello": {}}`);
    const [data] = (await once(webSocket, "message")) as [Buffer];
    assert.equal(JSON.parse(data.toString()).goodbye.error.reason, "TOKEN_MISSING");
    webSocket.terminate();
  });

  test("of no token and no password anything is written anywhere", async () => {
    const wrong = `never written ${newName()}`;
    secrets.add(wrong);
    for (const body of [
      JSON.stringify({ username: wrong, password: wrong }),
      `{"username": "x", "password": "${wrong}"`,
      `{"password": {"${wrong}": 1}}`,
    ]) {
      await fetch(`${server.url}/api/v1/auth/login`, { method: "POST", headers: { "content-type": "application/json" }, body });
    }
    await victim.call(AuthService.method.changePassword, { currentPassword: password, newPassword: wrong });
    await witness.assertUndisturbed();
    await server.assertWell();
    const log = server.written();
    assert.match(log, /"event":"sign_in_failed"/);
    assert.match(log, /"event":"password_changed"/);
    for (const secret of secrets) assert.ok(!log.includes(secret), `the log holds ${secret.slice(0, 12)}...`);
    // Not a part of one either: the signature alone is worth as much as the whole.
    for (const { token } of [mallory, victim]) assert.ok(!log.includes(token.split(".")[2] as string));
  });
});
