import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { openRedisBus } from "../../src/engines/bus-redis.ts";
import { type Bus, busState } from "../../src/ports/bus.ts";
import type { Log } from "../../src/ports/log.ts";
import { busSuite } from "../suites/bus.ts";
import { createAuthority, noOpenssl } from "../support/certificates.ts";
import { freePort } from "../support/child-server.ts";
import { Inbox } from "../support/inbox.ts";
import { RedisServer, redisMissing } from "../support/redis.ts";

const skip = redisMissing ?? false;
let networks = 0;

/** A log whose warnings and errors a test can wait for. */
function inboxLog(): { readonly log: Log; readonly lines: Inbox<string> } {
  const lines = new Inbox<string>();
  const write = (fields: object, message: string): void => lines.put(`${message} ${JSON.stringify(fields)}`);
  const log: Log = { debug() {}, info() {}, warn: write, error: write, child: () => log };
  return { log, lines };
}

function listen(bus: Bus, topic: string): { readonly heard: Inbox<string>; readonly gaps: Inbox<number> } {
  const [heard, gaps] = [new Inbox<string>(), new Inbox<number>()];
  bus.subscribe(
    topic,
    (payload) => heard.put(Buffer.from(payload).toString()),
    () => gaps.put(gaps.items.length + 1),
  );
  return { heard, gaps };
}

const hello = Buffer.from("hello");

describe("A Redis server of its own", { skip, timeout: 60_000 }, () => {
  let redis: RedisServer;
  before(async () => {
    redis = await RedisServer.start();
  });
  after(() => redis[Symbol.asyncDispose]());

  busSuite("one Redis", async () => {
    const prefix = `network-${++networks}`;
    return {
      join: () => openRedisBus({ url: redis.url, prefix }),
      interrupt: async () => {
        await redis.kill();
        return () => redis.restart();
      },
      close: async () => {},
    };
  });

  it("keeps networks with different prefixes apart, and leaves nothing behind in Redis", async () => {
    const open = (prefix: string): Promise<Bus> => openRedisBus({ url: redis.url, prefix });
    const [speaker, friend, stranger] = [await open("one"), await open("one"), await open("two")];
    const [near, far] = [listen(friend, "room"), listen(stranger, "room")];
    await redis.answers((answer) => answer.split("\n").length === 2, "PUBSUB", "SHARDCHANNELS");
    speaker.publish("room", hello);
    await near.heard.find((text) => text === "hello");
    assert.deepEqual(far.heard.items, []);
    await Promise.all([speaker, friend, stranger].map((bus) => bus.close()));
    assert.equal(redis.cli("PUBSUB", "SHARDCHANNELS"), "");
    assert.equal(redis.cli("DBSIZE"), "0");
  });
});

describe("A Redis that fails", { skip, timeout: 60_000 }, () => {
  it("is noticed within 4 s when it is frozen; once it answers again, every subscription is told of a gap", async () => {
    await using redis = await RedisServer.start();
    const { log, lines } = inboxLog();
    const bus = await openRedisBus({ url: redis.url, prefix: "test", log });
    const { gaps } = listen(bus, "room");
    redis.pause();
    const start = performance.now();
    for (let n = 0; n < 3000; n++) bus.publish("room", Buffer.alloc(10_000));
    assert.ok((busState(bus)?.dropped ?? 0) > 2000, "what waits for Redis is bounded");
    await lines.find((line) => line.startsWith("Redis is out of reach"));
    assert.ok(performance.now() - start < 4000, `${performance.now() - start} ms`);
    assert.equal(busState(bus)?.connected, false);
    redis.resume();
    await gaps.find((gap) => gap === 1);
    assert.equal(busState(bus)?.connected, true);
    assert.deepEqual(
      lines.items.map((line) => line.split(" {")[0]),
      ["Redis is out of reach: other nodes hear of what happens here some seconds later", "Redis is back"],
    );
    await bus.close();
  });

  it("may be down at the start", async () => {
    const port = await freePort();
    const { log, lines } = inboxLog();
    const open = (): Promise<Bus> => openRedisBus({ url: `redis://127.0.0.1:${port}`, prefix: "test", log });
    const [a, b] = [await open(), await open()];
    assert.match(lines.items[0] ?? "", /out of reach.*ECONNREFUSED/);
    const { heard, gaps } = listen(b, "room");
    a.publish("room", hello);
    await using _redis = await RedisServer.start({ port });
    await gaps.find((gap) => gap === 1);
    await lines.until((items) => items.filter((line) => line.startsWith("Redis is back")).length === 2);
    a.publish("room", hello);
    await heard.find((text) => text === "hello");
    await Promise.all([a.close(), b.close()]);
  });

  it("is only talked to by TLS when its certificate is of a known authority", { skip: noOpenssl ?? false }, async () => {
    using authority = createAuthority();
    const { certFile, keyFile } = authority.issue("redis");
    const port = await freePort();
    const tls = [`tls-port ${port}`, `tls-cert-file ${certFile}`, `tls-key-file ${keyFile}`, "tls-auth-clients no"];
    await using _redis = await RedisServer.start({ config: tls });
    const { log, lines } = inboxLog();
    const url = `rediss://127.0.0.1:${port}`;
    await (await openRedisBus({ url, prefix: "test", log })).close();
    assert.match(lines.items[0] ?? "", /out of reach.*certificate/);
    setDefaultCACertificates([...getCACertificates("default"), authority.cert.toString()]);
    const bus = await openRedisBus({ url, prefix: "test", log });
    assert.equal(busState(bus)?.connected, true);
    await bus.close();
  });

  it("needs no more of an account than the manual says", async () => {
    const rights = "resetchannels &parlor:* +spublish +ssubscribe +sunsubscribe +ping +hello";
    await using redis = await RedisServer.start({ config: [`user ada on >pw ${rights}`] });
    const url = redis.url.replace("//", "//ada:pw@");
    const [a, b] = [await openRedisBus({ url, prefix: "parlor" }), await openRedisBus({ url, prefix: "parlor" })];
    const { heard } = listen(b, "room");
    await redis.answers((answer) => answer.endsWith("1"), "PUBSUB", "SHARDNUMSUB", "parlor:room");
    a.publish("room", hello);
    await heard.find((text) => text === "hello");
    await Promise.all([a.close(), b.close()]);
  });

  it("may ask for a password, which is never told", async () => {
    await using redis = await RedisServer.start({ config: ["requirepass hunter2-right"] });
    const { log, lines } = inboxLog();
    const refused = await openRedisBus({ url: redis.url.replace("//", "//:hunter2-wrong@"), prefix: "test", log });
    await refused.close();
    assert.match(lines.items[0] ?? "", /WRONGPASS/);
    const bus = await openRedisBus({ url: redis.url.replace("//", "//:hunter2-right@"), prefix: "test", log });
    assert.equal(busState(bus)?.connected, true);
    await bus.close();
    assert.doesNotMatch(lines.items.join("\n"), /hunter2/);
  });

  it("may give the account no right to the channels, which is said", async () => {
    await using redis = await RedisServer.start({ config: ["user ada on >pw ~* resetchannels &other:* +@all"] });
    const { log, lines } = inboxLog();
    const bus = await openRedisBus({ url: redis.url.replace("//", "//ada:pw@"), prefix: "test", log });
    listen(bus, "room");
    await lines.find((line) => /out of reach.*NOPERM/.test(line));
    await bus.close();
  });

  it("is not disturbed by a subscriber that throws, nor are the others", async () => {
    await using redis = await RedisServer.start();
    const { log, lines } = inboxLog();
    const [a, b] = [await openRedisBus({ url: redis.url, prefix: "test" }), await openRedisBus({ url: redis.url, prefix: "test", log })];
    const fault = () => {
      throw new Error("a fault of this subscriber");
    };
    b.subscribe("room", fault, fault);
    const { heard } = listen(b, "room");
    await redis.answers((answer) => answer.endsWith("1"), "PUBSUB", "SHARDNUMSUB", "test:room");
    a.publish("room", hello);
    await heard.find((text) => text === "hello");
    await lines.find((line) => line.startsWith("A subscriber of the bus failed"));
    await Promise.all([a.close(), b.close()]);
  });

  it("may be closed while it cannot be reached", async () => {
    const bus = await openRedisBus({ url: `redis://127.0.0.1:${await freePort()}`, prefix: "test" });
    await bus.close();
    assert.equal(busState(bus)?.connected, false);
  });
});
