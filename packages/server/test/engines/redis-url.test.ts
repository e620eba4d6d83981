import assert from "node:assert/strict";
import { test } from "node:test";
import { slotOf } from "../../src/engines/redis-slots.ts";
import { parseRedisUrl, RedisUrlError } from "../../src/engines/redis-url.ts";
import { ConfigError, loadConfig } from "../../src/main/config.ts";

const plain = { form: "single", master: "", tls: false, username: undefined, password: undefined };

test("every form of REDIS_URL is read", () => {
  assert.deepEqual(parseRedisUrl("redis://cache"), { ...plain, hosts: [{ host: "cache", port: 6379 }] });
  assert.deepEqual(parseRedisUrl("rediss://ada:p%40ss:word@[::1]:6380/0"), {
    ...plain,
    tls: true,
    username: "ada",
    password: "p@ss:word",
    hosts: [{ host: "::1", port: 6380 }],
  });
  assert.deepEqual(parseRedisUrl("redis+sentinel://:secret@a,b:26380/mymaster"), {
    ...plain,
    form: "sentinel",
    master: "mymaster",
    password: "secret",
    hosts: [
      { host: "a", port: 26379 },
      { host: "b", port: 26380 },
    ],
  });
  assert.deepEqual(parseRedisUrl("rediss+cluster://a:7000,b").hosts, [
    { host: "a", port: 7000 },
    { host: "b", port: 6379 },
  ]);
});

test("what is wrong with REDIS_URL is said, and none of it is shown", () => {
  const wrong: ReadonlyArray<readonly [url: string, problem: RegExp]> = [
    ["http://user:hunter2@host", /another form/],
    ["redis://user:hunter2@host:70000", /port/],
    ["redis://user:hunter2@", /host/],
    ["redis://user:hunter2@a,b", /several servers/],
    ["redis://user:hunter2@host/cache", /number of a database/],
    ["redis+sentinel://user:hunter2@host:26379", /name of the master/],
    ["redis://user:hunter2%@host", /percent/],
    ["redis://user:hunter2@host?tls=on", /another form/],
  ];
  for (const [url, problem] of wrong) {
    const said = (error: Error): boolean => problem.test(error.message) && !error.message.includes("hunter2");
    assert.throws(() => parseRedisUrl(url), said, url);
    assert.throws(() => parseRedisUrl(url), RedisUrlError);
    assert.throws(() => loadConfig({ DATABASE_URL: "postgres://db/parlor", REDIS_URL: url }), said, url);
  }
});

test("REDIS_URL with the embedded database is refused", () => {
  assert.throws(
    () => loadConfig({ REDIS_URL: "redis://cache" }),
    (error) => error instanceof ConfigError && /REDIS_URL needs DATABASE_URL or DB_HOST/.test(error.message),
  );
  assert.equal(loadConfig({ REDIS_URL: "redis://cache", DB_HOST: "db" }).redis.prefix, "parlor");
});

test("slots are those of the specification", () => {
  assert.equal(slotOf("123456789"), 0x31c3);
  assert.equal(slotOf("foo"), 12182);
  assert.equal(slotOf("{user1000}.following"), slotOf("{user1000}.followers"));
  assert.equal(slotOf("foo{}{bar}"), slotOf("foo{}{bar}"));
  assert.notEqual(slotOf("foo{}{bar}"), slotOf("bar"));
});
