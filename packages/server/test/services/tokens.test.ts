import assert from "node:assert/strict";
import { createHmac, generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { ApiToken_Scope, Code, Goodbye_Reason, Reason, User_Role } from "@parlor/contract";
import { type JWTPayload, SignJWT } from "jose";
import { day, minute, type Node, newcomer, refusal, startAuth } from "../support/auth.ts";
import { onEveryDatabase } from "../support/databases.ts";

const base64url = (value: unknown) => Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");

function payloadOf(token: string): JWTPayload {
  return JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());
}

/** A token of the node's own key, with claims or headers that it would not give out. */
function signed(node: Node, token: string, claims: object, header: object = {}): Promise<string> {
  const { kid, privateKey } = node.keys.current;
  const jwt = new SignJWT({ ...payloadOf(token), ...claims });
  return jwt.setProtectedHeader({ alg: "EdDSA", typ: "at+jwt", kid, ...header }).sign(privateKey);
}

onEveryDatabase("access tokens", (current) => {
  test("an access token says who, until when and for what, and is accepted until then", async () => {
    const node = await startAuth(current().store);
    const { tokens, caller, id, username } = await newcomer(node);
    const claims = payloadOf(tokens.accessToken);
    assert.deepEqual(Object.keys(claims).sort(), ["aud", "exp", "iat", "iss", "nbf", "sid", "sub"]);
    assert.equal(claims.exp, node.clock.now() / 1000 + 900);
    assert.equal(tokens.expiresAt?.seconds, BigInt(claims.exp ?? 0));
    assert.deepEqual(caller, { userId: id, username, role: User_Role.USER, sessionId: claims["sid"], expiresAt: (claims.exp ?? 0) * 1000 });
    node.clock.advance(15 * minute);
    assert.equal((await node.identities.verify(tokens.accessToken)).userId, id);
    node.clock.advance(30_000);
    await refusal(node.identities.verify(tokens.accessToken), Reason.TOKEN_EXPIRED);
    const elsewhere = await startAuth(current().store, { clock: node.clock });
    await refusal(elsewhere.identities.verify(tokens.accessToken), Reason.TOKEN_EXPIRED);
  });

  test("tokens without, with an empty and with somebody else's signature are refused", async () => {
    const node = await startAuth(current().store);
    const { tokens } = await newcomer(node);
    const [header = "", payload = "", signature = ""] = tokens.accessToken.split(".");
    const { kid, publicKey } = node.keys.current;
    const hmacWith = (key: string | Buffer) => {
      const input = `${base64url({ alg: "HS256", typ: "at+jwt", kid })}.${payload}`;
      return `${input}.${createHmac("sha256", key).update(input).digest("base64url")}`;
    };
    const stranger = generateKeyPairSync("ed25519");
    const jwk = stranger.publicKey.export({ format: "jwk" });
    const forged = (more: object) =>
      new SignJWT(payloadOf(tokens.accessToken)).setProtectedHeader({ alg: "EdDSA", typ: "at+jwt", ...more }).sign(stranger.privateKey);
    const hostile = [
      `${base64url({ alg: "none", typ: "at+jwt", kid })}.${payload}.`,
      `${base64url({ alg: "None", typ: "at+jwt", kid })}.${payload}.${signature}`,
      `${header}.${payload}.`,
      `${header}.${payload}`,
      hmacWith(publicKey.export({ format: "pem", type: "spki" })),
      hmacWith(publicKey.export({ format: "der", type: "spki" })),
      hmacWith(Buffer.from(node.keys.current.publicJwk.x, "base64url")),
      await forged({ kid }),
      await forged({ kid: "https://evil.example/key" }),
      await forged({ kid: "../../etc/passwd" }),
      await forged({ kid, jwk }),
      await forged({ kid, jku: "https://evil.example/jwks.json" }),
      await forged({ kid, x5u: "https://evil.example/key.pem" }),
      `${header}.${base64url({ ...payloadOf(tokens.accessToken), sub: node.keys.current.kid })}.${signature}`,
      tokens.refreshToken,
      "",
      ".",
      "..",
      "a.b.c",
      "\0",
      "💥",
      "null",
      "x".repeat(5000),
    ];
    for (const token of hostile) {
      const error = await refusal(node.identities.verify(token), Reason.TOKEN_INVALID);
      assert.equal(error.code, Code.UNAUTHENTICATED);
      assert.deepEqual((await node.auth.verifyToken({ token })).outcome, { case: "refused", value: Reason.TOKEN_INVALID });
    }
  });

  test("tokens for other purposes, of other issuers and with odd claims are refused, though the key is right", async () => {
    const node = await startAuth(current().store);
    const { tokens, id } = await newcomer(node);
    const other = await newcomer(node);
    const token = tokens.accessToken;
    const now = Math.floor(node.clock.now() / 1000);
    assert.equal((await node.identities.verify(await signed(node, token, {}))).userId, id);
    const odd: object[] = [
      { iss: "https://other.example" },
      { iss: undefined },
      { aud: "other" },
      { aud: undefined },
      { sub: other.id },
      { sub: "admin" },
      { sub: undefined },
      { sid: undefined },
      { sid: 7 },
      { sid: "' or true --" },
      { nbf: now + 60 },
      { nbf: undefined },
      { iat: "now" },
      { iat: 1e18 },
      { exp: undefined },
      { exp: String(now + 60) },
      { exp: 1e99 },
      { exp: now + 60.5 },
      { exp: now + 400 * 86_400 },
      { exp: null },
      { exp: [now + 60] },
    ];
    for (const claims of odd) await refusal(node.identities.verify(await signed(node, token, claims)), Reason.TOKEN_INVALID);
    for (const header of [{ typ: "JWT" }, { typ: undefined }, { kid: undefined }, { crit: ["exp"] }]) {
      const bad = await signed(node, token, {}, header).catch(() => "not.a.token");
      await refusal(node.identities.verify(bad), Reason.TOKEN_INVALID);
    }
    await refusal(node.identities.verify(await signed(node, token, { exp: now - 60 })), Reason.TOKEN_EXPIRED);
    const foreign = await startAuth(current().store, { config: { issuer: "somebody else" } });
    await refusal(foreign.identities.verify(token), Reason.TOKEN_INVALID);
  });

  test("an access token is worth nothing from the moment its session was ended", async () => {
    const node = await startAuth(current().store);
    const { username, password, tokens, call, caller } = await newcomer(node);
    node.clock.advance(1);
    const second = await node.auth.logIn({ username, password });
    const secondCaller = await node.identities.verify(second.tokens?.accessToken ?? "");
    const ended: unknown[] = [];
    node.identities.onEnded((event) => ended.push(event));
    const { sessions } = await node.auth.listSessions({}, call);
    assert.deepEqual(
      sessions.map((session) => [session.id, session.current]),
      [
        [secondCaller.sessionId, false],
        [caller.sessionId, true],
      ],
    );
    await node.auth.revokeSession({ sessionId: secondCaller.sessionId }, call);
    await refusal(node.identities.verify(second.tokens?.accessToken ?? ""), Reason.SESSION_REVOKED);
    await node.auth.logOut({}, call);
    await refusal(node.identities.verify(tokens.accessToken), Reason.SESSION_REVOKED);
    await node.auth.logOut({}, call);
    assert.deepEqual(
      ended,
      [secondCaller, caller].map(({ sessionId }) => ({ sessionIds: [sessionId], reason: Goodbye_Reason.SESSION_REVOKED })),
    );
    await refusal(node.auth.refreshTokens({ refreshToken: tokens.refreshToken }), Reason.SESSION_REVOKED);
  });

  test("sessions of others are seen and ended by administrators alone", async () => {
    const node = await startAuth(current().store);
    const ann = await newcomer(node);
    const bob = await newcomer(node);
    await refusal(node.auth.listSessions({ userId: ann.id }, bob.call), Reason.ROLE_TOO_LOW);
    await refusal(node.auth.revokeSession({ sessionId: ann.caller.sessionId }, bob.call), Reason.NOT_EXISTING);
    await refusal(node.auth.revokeSession({ sessionId: "01890000-0000-7000-8000-000000000000" }, bob.call), Reason.NOT_EXISTING);
    const admin = { ...bob.call, caller: { ...bob.caller, role: User_Role.ADMIN } };
    assert.equal((await node.auth.listSessions({ userId: ann.id }, admin)).sessions.length, 1);
    await node.auth.revokeSession({ sessionId: ann.caller.sessionId }, admin);
    await refusal(node.identities.verify(ann.tokens.accessToken), Reason.SESSION_REVOKED);
  });

  test("sessions come in pages, whose tokens are good for this list and caller", async () => {
    const node = await startAuth(current().store);
    const { username, password, call } = await newcomer(node);
    for (let i = 0; i < 4; i++) {
      node.clock.advance(1);
      await node.auth.logIn({ username, password, deviceName: `device ${i}` });
    }
    const seen: string[] = [];
    let pageToken = "";
    do {
      const page = await node.auth.listSessions({ pageSize: 2, pageToken }, call);
      seen.push(...page.sessions.map((session) => session.deviceName));
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    assert.deepEqual(seen, ["device 3", "device 2", "device 1", "device 0", ""]);
    const { nextPageToken } = await node.auth.listSessions({ pageSize: 2 }, call);
    const stranger = await newcomer(node);
    await refusal(node.auth.listSessions({ pageToken: nextPageToken }, stranger.call), Reason.PAGE_TOKEN_INVALID);
    await refusal(node.auth.listApiTokens({ pageToken: nextPageToken }, call), Reason.PAGE_TOKEN_INVALID);
  });
});

onEveryDatabase("refresh tokens", (current) => {
  const refresh = async (node: Node, refreshToken: string) => {
    const { tokens } = await node.auth.refreshTokens({ refreshToken });
    assert.ok(tokens);
    return tokens;
  };

  test("a refresh gives a new pair, and the session lives on", async () => {
    const node = await startAuth(current().store);
    const { tokens, id } = await newcomer(node);
    let held = tokens;
    for (let i = 0; i < 5; i++) {
      node.clock.advance(29 * day);
      const next = await refresh(node, held.refreshToken);
      assert.notEqual(next.refreshToken, held.refreshToken);
      assert.equal((await node.identities.verify(next.accessToken)).userId, id);
      held = next;
    }
    node.clock.advance(30 * day);
    await refusal(refresh(node, held.refreshToken), Reason.TOKEN_EXPIRED);
  });

  test("a hundred refreshes at once, on two nodes, make one successor", async () => {
    const node = await startAuth(current().store);
    const second = await startAuth(current().store, { clock: node.clock });
    const { tokens } = await newcomer(node);
    const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => refresh(i % 2 ? node : second, tokens.refreshToken)));
    assert.equal(new Set(answers.map((answer) => answer.refreshToken)).size, 1);
    const next = await refresh(node, answers[0]?.refreshToken ?? "");
    assert.notEqual(next.refreshToken, answers[0]?.refreshToken);
  });

  test("a retry within 30 seconds gets the same successor; a reuse after that ends the session", async () => {
    const node = await startAuth(current().store);
    const { tokens, caller } = await newcomer(node);
    const ended: unknown[] = [];
    node.identities.onEnded((event) => ended.push(event));
    const first = await refresh(node, tokens.refreshToken);
    node.clock.advance(30_000);
    assert.equal((await refresh(node, tokens.refreshToken)).refreshToken, first.refreshToken);
    assert.deepEqual(ended, []);
    node.clock.advance(1);
    await refusal(refresh(node, tokens.refreshToken), Reason.REFRESH_TOKEN_REUSED);
    assert.deepEqual(ended, [{ sessionIds: [caller.sessionId], reason: Goodbye_Reason.SESSION_REVOKED }]);
    assert.equal(node.records.at(-1)?.event, "refresh_token_reused");
    await refusal(refresh(node, first.refreshToken), Reason.SESSION_REVOKED);
    await refusal(refresh(node, tokens.refreshToken), Reason.SESSION_REVOKED);
    await refusal(node.identities.verify(first.accessToken), Reason.SESSION_REVOKED);
  });

  test("a token from further back ends the session at once", async () => {
    const node = await startAuth(current().store);
    const { tokens } = await newcomer(node);
    const first = await refresh(node, tokens.refreshToken);
    const second = await refresh(node, first.refreshToken);
    await refusal(refresh(node, tokens.refreshToken), Reason.REFRESH_TOKEN_REUSED);
    await refusal(refresh(node, second.refreshToken), Reason.SESSION_REVOKED);
  });

  test("whoever knows only the id of a session can neither refresh nor end it", async () => {
    const node = await startAuth(current().store);
    const { tokens, caller } = await newcomer(node);
    const held = await refresh(node, tokens.refreshToken);
    const secret = "A".repeat(43);
    const hostile = [
      `${caller.sessionId}.0.${secret}`,
      `${caller.sessionId}.1.${secret}`,
      `${caller.sessionId}.2.${secret}`,
      `${caller.sessionId}.999999999.${secret}`,
      held.refreshToken.replace(".1.", ".0."),
      tokens.refreshToken.replace(".0.", ".1."),
      tokens.refreshToken.replace(".0.", ".00."),
      tokens.refreshToken.slice(0, -1),
      `${tokens.refreshToken}A`,
      tokens.accessToken,
      "",
      "..",
      `${caller.sessionId}.-1.${secret}`,
      `${caller.sessionId}.1e3.${secret}`,
    ];
    for (const token of hostile) await refusal(refresh(node, token), Reason.TOKEN_INVALID);
    assert.ok(await refresh(node, held.refreshToken));
  });

  test("an API token cannot be refreshed, and a closed account neither", async () => {
    const node = await startAuth(current().store);
    const { tokens, call, username } = await newcomer(node);
    const { apiToken } = await node.auth.createApiToken({ name: "bot", scopes: [ApiToken_Scope.READ] }, call);
    await refusal(refresh(node, `${apiToken?.id}.0.${"A".repeat(43)}`), Reason.TOKEN_INVALID);
    await node.operator.deactivate(username);
    await refusal(refresh(node, tokens.refreshToken), Reason.SESSION_REVOKED);
    await node.operator.reactivate(username);
    await refusal(refresh(node, tokens.refreshToken), Reason.SESSION_REVOKED);
  });
});

onEveryDatabase("API tokens", (current) => {
  test("an API token acts for its owner within its scopes, until it is revoked", async () => {
    const node = await startAuth(current().store);
    const { call, id, username } = await newcomer(node);
    const scopes = [ApiToken_Scope.READ, ApiToken_Scope.WRITE];
    const { token, apiToken } = await node.auth.createApiToken({ name: "weather bot", scopes }, call);
    assert.match(token, /^parlor_[0-9a-f]{32}_[\w-]{43}$/);
    const caller = await node.identities.verify(token);
    assert.deepEqual(caller, { userId: id, username, role: User_Role.USER, sessionId: apiToken?.id, scopes: new Set(scopes) });
    const verified = await node.auth.verifyToken({ token }, call);
    assert.equal(verified.outcome.case, "claims");
    assert.deepEqual(verified.outcome.case === "claims" && [verified.outcome.value.scopes, verified.outcome.value.expiresAt], [
      scopes,
      undefined,
    ]);
    const listed = await node.auth.listApiTokens({}, call);
    assert.deepEqual(listed.apiTokens, [apiToken]);
    assert.deepEqual(
      (await node.auth.listSessions({}, call)).sessions.map((session) => session.current),
      [true],
    );
    const stranger = await newcomer(node);
    await refusal(node.auth.revokeApiToken({ tokenId: apiToken?.id ?? "" }, stranger.call), Reason.NOT_EXISTING);
    await node.auth.revokeApiToken({ tokenId: apiToken?.id ?? "" }, call);
    await node.auth.revokeApiToken({ tokenId: apiToken?.id ?? "" }, call);
    await refusal(node.identities.verify(token), Reason.SESSION_REVOKED);
    assert.deepEqual((await node.auth.listApiTokens({}, call)).apiTokens, []);
  });

  test("an API token ends when it was to end", async () => {
    const node = await startAuth(current().store);
    const { call } = await newcomer(node);
    const past = node.auth.createApiToken(
      { name: "bot", scopes: [ApiToken_Scope.READ], expiresAt: timestampFromMs(node.clock.now()) },
      call,
    );
    assert.equal((await refusal(past, Reason.INVALID_FIELDS)).violations[0]?.field, "expires_at");
    const expiresAt = timestampFromMs(node.clock.now() + day);
    const { token } = await node.auth.createApiToken({ name: "bot", scopes: [ApiToken_Scope.READ], expiresAt }, call);
    assert.equal((await node.identities.verify(token)).expiresAt, node.clock.now() + day);
    node.clock.advance(day);
    await refusal(node.identities.verify(token), Reason.TOKEN_EXPIRED);
    assert.deepEqual((await node.auth.listApiTokens({}, call)).apiTokens, []);
  });

  test("an API token with another secret, or of another's id, is refused", async () => {
    const node = await startAuth(current().store);
    const ann = await newcomer(node);
    const { token } = await node.auth.createApiToken({ name: "bot", scopes: [ApiToken_Scope.READ] }, ann.call);
    const sessionAsToken = `parlor_${ann.caller.sessionId.replaceAll("-", "")}_${"A".repeat(43)}`;
    const flipped = token.slice(0, -1) + (token.endsWith("A") ? "E" : "A");
    for (const bad of [
      flipped,
      token.slice(0, -1),
      `${token}A`,
      token.toUpperCase(),
      sessionAsToken,
      `parlor_${"0".repeat(32)}_${"A".repeat(43)}`,
    ]) {
      await refusal(node.identities.verify(bad), Reason.TOKEN_INVALID);
    }
    assert.ok(await node.identities.verify(token));
  });

  test("logging out with an API token ends the token", async () => {
    const node = await startAuth(current().store);
    const { call, tokens } = await newcomer(node);
    const { token } = await node.auth.createApiToken({ name: "bot", scopes: [ApiToken_Scope.READ] }, call);
    await node.auth.logOut({}, { ...call, caller: await node.identities.verify(token) });
    await refusal(node.identities.verify(token), Reason.SESSION_REVOKED);
    assert.ok(await node.identities.verify(tokens.accessToken));
  });
});
