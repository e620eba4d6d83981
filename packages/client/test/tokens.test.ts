import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ErrorSchema, encodeJson, Goodbye_Reason, LogInResponseSchema, Reason } from "@parlor/contract";
import type { ClientOptions, StoredTokens } from "../src/index.ts";
import { ME, PEER, ROOM } from "./support/events.ts";
import { Session } from "./support/session.ts";
import type { HttpAnswer, HttpRequest } from "./support/wire-server.ts";

const MINUTE = 60_000;

/** A server that hands out tokens a1, a2 ... and knows only the newest, as the contract says. */
class TokenServer {
  generation = 0;
  readonly session: Session;
  readonly kept: (StoredTokens | undefined)[];
  revoked = false;
  refresh: () => Promise<void> = () => Promise.resolve();

  constructor(session: Session, kept: (StoredTokens | undefined)[]) {
    this.session = session;
    this.kept = kept;
    session.server.answer = (request) => this.#answer(request);
  }

  static async start(options: Partial<ClientOptions> = {}): Promise<TokenServer & AsyncDisposable> {
    const kept: (StoredTokens | undefined)[] = [];
    const session = await Session.withoutToken({ onTokens: (tokens) => kept.push(tokens), ...options });
    return Object.assign(new TokenServer(session, kept), { [Symbol.asyncDispose]: () => session[Symbol.asyncDispose]() });
  }

  async #answer({ line, token, body }: HttpRequest): Promise<HttpAnswer> {
    if (line === "POST /api/v1/auth/refresh") {
      await this.refresh();
      const { refreshToken } = body as { refreshToken: string };
      if (this.revoked || refreshToken !== `r${this.generation}`) return refuse(Reason.SESSION_REVOKED);
      return this.#tokens(ME);
    }
    if (line === "POST /api/v1/auth/login") return this.#tokens((body as { username: string }).username === "me" ? ME : PEER);
    return token === `a${this.generation}` ? { body: "{}" } : refuse(Reason.TOKEN_EXPIRED);
  }

  #tokens(id: string): HttpAnswer {
    this.generation += 1;
    const expiresAt = timestampFromMs(this.session.clock.now() + 15 * MINUTE);
    const tokens = { accessToken: `a${this.generation}`, refreshToken: `r${this.generation}`, expiresAt };
    return { body: encodeJson(LogInResponseSchema, create(LogInResponseSchema, { user: { id }, tokens })) };
  }

  get refreshes(): number {
    return this.session.server.requests.filter(({ line }) => line.endsWith("/refresh")).length;
  }
}

function refuse(reason: Reason): HttpAnswer {
  return { status: 401, body: encodeJson(ErrorSchema, create(ErrorSchema, { code: Code.UNAUTHENTICATED, reason })) };
}

test("log-in keeps the tokens, tells of them, and log-out drops them", async () => {
  await using t = await TokenServer.start();
  const { client } = t.session;
  assert.equal((await client.logIn({ username: "me", password: "x" })).id, ME);
  assert.equal(client.tokens?.accessToken, "a1");
  assert.deepEqual(t.kept, [client.tokens]);
  await client.users.getMe();
  await client.logOut();
  assert.equal(client.tokens, undefined);
  assert.equal(t.kept.at(-1), undefined);
  await assert.rejects(client.connect(), { reason: Reason.TOKEN_MISSING });
});

test("tokens are exchanged a minute before they expire, once for all who call", async () => {
  await using t = await TokenServer.start();
  const { client, clock } = t.session;
  await client.logIn({ username: "me", password: "x" });
  clock.advance(14 * MINUTE - 1);
  await client.users.getMe();
  assert.equal(t.refreshes, 0);
  clock.advance(2);
  await Promise.all([client.users.getMe(), client.users.getMe(), client.rooms.listMyRooms()]);
  assert.equal(t.refreshes, 1);
  assert.equal(client.tokens?.accessToken, "a2");
  assert.equal(t.kept.length, 2);
});

test("a call that is refused because its token expired is made again with a new one, once for all who call", async () => {
  await using t = await TokenServer.start();
  const { client } = t.session;
  await client.logIn({ username: "me", password: "x" });
  const old = client.tokens as StoredTokens;
  await using other = await TokenServer.start({ url: t.session.server.url, tokens: { ...old, accessToken: "stale" } });
  await Promise.all([
    other.session.client.users.getMe(),
    other.session.client.rooms.createRoom({ name: "x" }),
    other.session.client.users.getMe(),
  ]);
  assert.equal(t.refreshes, 1);
  assert.equal(other.session.client.tokens?.accessToken, "a2");
});

test("when the session is over, the tokens are dropped and the error says so", async () => {
  await using t = await TokenServer.start();
  const { client, clock } = t.session;
  await client.logIn({ username: "me", password: "x" });
  t.revoked = true;
  clock.advance(16 * MINUTE);
  await assert.rejects(client.users.getMe(), { code: Code.UNAUTHENTICATED, reason: Reason.SESSION_REVOKED });
  assert.equal(client.tokens, undefined);
  assert.equal(t.kept.at(-1), undefined);
});

test("while the exchange cannot be made, a token that is still good is used", async () => {
  await using t = await TokenServer.start();
  const { client, clock } = t.session;
  await client.logIn({ username: "me", password: "x" });
  const answer = t.session.server.answer;
  t.session.server.answer = (request) => (request.line.endsWith("/refresh") ? { status: 500, body: "" } : answer(request));
  clock.advance(14.5 * MINUTE);
  await client.users.getMe();
  clock.advance(1 * MINUTE);
  await assert.rejects(client.users.getMe(), { code: Code.INTERNAL });
  assert.equal(client.tokens?.accessToken, "a1");
});

test("a clock that is wrong does not make every call an exchange", async () => {
  await using t = await TokenServer.start();
  const { client, clock } = t.session;
  await client.logIn({ username: "me", password: "x" });
  // What the server calls "in 15 minutes" is long ago on this machine.
  const skewed = await TokenServer.start({ url: t.session.server.url });
  await using _ = skewed;
  skewed.session.clock.advance(60 * MINUTE);
  await skewed.session.client.logIn({ username: "me", password: "x" });
  await skewed.session.client.users.getMe();
  await skewed.session.client.users.getMe();
  assert.equal(t.refreshes, 0);
  assert.ok(clock.now() < skewed.session.clock.now());
});

for (const reason of [Goodbye_Reason.TOKEN_EXPIRED, Goodbye_Reason.UNAUTHENTICATED]) {
  test(`a stream that ends because the token expired (${Goodbye_Reason[reason]}) goes on with a new one`, async () => {
    await using t = await TokenServer.start();
    const { client, server, clock } = t.session;
    await client.logIn({ username: "me", password: "x" });
    const { peer } = await t.session.connect();
    const renewed = t.session.next("state", ({ retryInMs }) => retryInMs !== undefined);
    peer.send({ goodbye: { reason, reconnect: true, error: { code: Code.UNAUTHENTICATED, reason: Reason.TOKEN_EXPIRED } } });
    clock.advance((await renewed).retryInMs as number);
    const next = await server.accept();
    assert.equal((await next.hello()).token, "a2");
    const live = t.session.state("live");
    next.welcome();
    await live;
  });
}

test("a stream whose session is over stops", async () => {
  await using t = await TokenServer.start();
  const { client } = t.session;
  await client.logIn({ username: "me", password: "x" });
  const { peer } = await t.session.connect();
  t.revoked = true;
  const closed = t.session.state("closed");
  peer.send({ goodbye: { reason: Goodbye_Reason.TOKEN_EXPIRED, reconnect: true } });
  assert.equal((await closed).error?.reason, Reason.SESSION_REVOKED);
});

test("an API token that expired cannot be exchanged: the stream stops", async () => {
  await using session = await Session.start({ token: "api" });
  const { peer } = await session.connect();
  const closed = session.state("closed");
  peer.send({ goodbye: { reason: Goodbye_Reason.TOKEN_EXPIRED, reconnect: true } });
  assert.equal((await closed).error?.reason, Reason.TOKEN_EXPIRED);
});

test("another user's log-in closes the stream and forgets its rooms; the same user's does not", async () => {
  await using t = await TokenServer.start();
  const { client } = t.session;
  await client.logIn({ username: "me", password: "x" });
  await t.session.connect([{ roomId: ROOM, lastSeq: 4 }]);
  await client.logIn({ username: "me", password: "x" });
  assert.equal(client.state, "live");
  await client.logIn({ username: "peer", password: "x" });
  assert.equal(client.state, "closed");
  assert.deepEqual(client.cursors, []);
});

test("a log-in while an exchange is under way wins over it", async () => {
  await using t = await TokenServer.start();
  const { client, clock } = t.session;
  await client.logIn({ username: "me", password: "x" });
  const asked = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  t.refresh = () => {
    asked.resolve();
    return go.promise;
  };
  clock.advance(14.5 * MINUTE);
  const calling = client.users.getMe();
  await asked.promise;
  const next = client.logIn({ username: "peer", password: "x" });
  assert.equal((await next).id, PEER);
  go.resolve();
  await calling.catch(() => undefined);
  assert.equal(client.tokens?.accessToken, "a2");
});
