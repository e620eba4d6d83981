import assert from "node:assert/strict";
import { test } from "node:test";
import { allSettings, ConfigError, loadConfig } from "../../src/main/config.ts";

function problemsOf(env: Record<string, string>): readonly string[] {
  try {
    loadConfig(env);
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.problems;
  }
  return [];
}

test("an empty environment gives the documented defaults", () => {
  const config = loadConfig({});
  assert.deepEqual(config.database, { engine: "pglite", folder: "./data", logWriters: 2, logBatch: 512, retentionMs: undefined });
  assert.equal(config.server.port, 8080);
  assert.equal(config.auth.bcryptCost, 12);
  assert.equal(config.auth.accessTokenMs, 15 * 60_000);
  assert.equal(config.auth.refreshTokenMs, 30 * 86_400_000);
  assert.equal(config.limits.frameBytes, 65_536);
  assert.deepEqual([config.limits.sendsPerSecond, config.limits.sendsBurst], [5, 20]);
  assert.equal(config.realtime.outboundBytes, 1_048_576);
  assert.equal(config.realtime.heartbeatMs, 25_000);
});

test("the config cannot be changed, at any depth", () => {
  const config = loadConfig({ PARLOR_ALLOWED_ORIGINS: "https://a.example" });
  assert.throws(() => Object.assign(config, { log: {} }), TypeError);
  assert.throws(() => Object.assign(config.server, { port: 1 }), TypeError);
  assert.throws(() => (config.server.allowedOrigins as string[]).push("x"), TypeError);
});

test("values are read with their units, and spaces around them do not count", () => {
  const config = loadConfig({ PORT: " 9000 ", PARLOR_HEARTBEAT: "2m", PARLOR_OUTBOUND_SIZE: "2 MiB", PARLOR_RATE_LIMITS: "off", HOST: "" });
  assert.equal(config.server.port, 9000);
  assert.equal(config.realtime.heartbeatMs, 120_000);
  assert.equal(config.realtime.outboundBytes, 2_097_152);
  assert.equal(config.limits.rateLimits, false);
  assert.equal(config.server.host, "0.0.0.0", "an empty variable counts as left out");
});

test("every wrong variable is named at once, with what it must be", () => {
  const problems = problemsOf({
    PORT: "65536",
    PARLOR_HEARTBEAT: "25",
    PARLOR_RATE_LIMITS: "false",
    PARLOR_LOG_FORMAT: "xml",
    PARLOR_ALLOWED_ORIGINS: "https://a.example/path",
    PARLOR_TRUSTED_PROXIES: "10.0.0.0/33",
    PARLOR_MESSAGE_CHARACTERS: "8001",
    PARLOR_PUBLIC_URL: "javascript:alert(1)",
  });
  assert.equal(problems.length, 8);
  assert.ok(problems.includes('PORT must be a whole number from 0 to 65535, not "65536".'));
  assert.ok(problems.includes('PARLOR_LOG_FORMAT must be one of auto, json, pretty, not "xml".'));
});

test("an unknown PARLOR_ variable is refused with the name that was probably meant", () => {
  assert.deepEqual(problemsOf({ PARLOR_HARTBEAT: "1s" }), ["PARLOR_HARTBEAT is not a setting. Did you mean PARLOR_HEARTBEAT?"]);
  assert.deepEqual(problemsOf({ PARLOR_PORT: "80" }), ["PARLOR_PORT is not a setting. Did you mean PORT?"]);
  assert.deepEqual(problemsOf({ PARLOR_COLOUR_OF_THE_WALL: "red" }), ["PARLOR_COLOUR_OF_THE_WALL is not a setting."]);
});

test("variables of the client, of Kubernetes and of others are left alone", () => {
  assert.deepEqual(
    problemsOf({
      PARLOR_URL: "https://chat.example",
      PARLOR_TOKEN: "x",
      PARLOR_PORT: "tcp://10.0.0.1:8080",
      PARLOR_PORT_8080_TCP_ADDR: "10.0.0.1",
      PARLOR_SERVICE_HOST: "10.0.0.1",
      EDITOR: "ed",
    }),
    [],
  );
});

test("the parts of a database address make a URL, whatever is in them", () => {
  const { database } = loadConfig({ DB_HOST: "db", DB_USER: "a@b", DB_PASSWORD: "p/w:?#", DB_NAME: "chat" });
  assert.equal(database.engine, "postgres");
  const url = new URL(database.url);
  assert.equal(decodeURIComponent(url.password), "p/w:?#");
  assert.equal(decodeURIComponent(url.username), "a@b");
  assert.deepEqual([url.hostname, url.port, url.pathname], ["db", "5432", "/chat"]);
});

test("a database said twice, or in part, is refused", () => {
  assert.match(problemsOf({ DATABASE_URL: "postgres://x/y", DB_HOST: "x" }).join(), /^DATABASE_URL and DB_HOST say the same thing twice/);
  assert.match(problemsOf({ DB_PASSWORD: "geheim" }).join(), /^DB_HOST must be set when DB_PASSWORD is/);
});

test("an sslmode that the driver would not know is refused, wherever it stands", () => {
  const url = "postgres://a:hunter2@db/x";
  const modes = "disable, no-verify, prefer, require, verify-ca, verify-full";
  for (const mode of modes.split(", ")) {
    assert.equal(loadConfig({ DATABASE_URL: `${url}?sslmode=${mode}` }).database.engine, "postgres");
    assert.equal(loadConfig({ DATABASE_URL: url, PGSSLMODE: mode }).database.engine, "postgres");
  }
  for (const query of ["sslmode=bogus", "sslmode=", "sslmode=require&sslmode=Require"]) {
    const problems = problemsOf({ DATABASE_URL: `${url}?${query}` }).join();
    assert.match(problems, new RegExp(`^DATABASE_URL must be .*: its sslmode must be one of ${modes}\\.$`));
    assert.ok(!problems.includes("hunter2"));
  }
  const compatible = `${url}?uselibpqcompat=true&sslmode=no-verify`;
  assert.match(problemsOf({ DATABASE_URL: compatible }).join(), /one of disable, prefer, require, verify-ca, verify-full\.$/);
  assert.deepEqual(problemsOf({ DB_HOST: "db", PGSSLMODE: "bogus" }), [`PGSSLMODE must be one of ${modes}, not "bogus".`]);
  assert.equal(loadConfig({ PGSSLMODE: "bogus" }).database.engine, "pglite");
});

test("a secret is not shown, however wrong it is", () => {
  const problems = problemsOf({ DATABASE_URL: "mysql://root:hunter2@db/x", DB_PASSWORD: "hunter2\u0007" });
  assert.equal(problems.length, 3);
  assert.ok(!problems.join("\n").includes("hunter2"));
});

test("every setting is documented, and no variable is declared twice", () => {
  const names = allSettings.map((setting) => setting.variable);
  assert.equal(new Set(names).size, names.length);
  for (const setting of allSettings) assert.match(setting.doc, /^.+\.$/, `${setting.variable} has a sentence`);
});
