import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigError, type Environment, loadConfig } from "../../src/main/config.ts";

const token = "0123456789abcdef0123456789abcdef";
const database = { DATABASE_URL: "postgres://parlor@127.0.0.1/parlor" };

function problemsOf(env: Environment): readonly string[] {
  try {
    loadConfig(env);
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.problems;
  }
  return [];
}

function isSaid(problems: readonly string[], ...wanted: readonly RegExp[]): void {
  assert.equal(problems.length, wanted.length, problems.join("\n"));
  for (const [index, one] of wanted.entries()) assert.match(problems[index] ?? "", one);
}

test("a server is whole unless it is told otherwise", () => {
  const all = ["gateway", "auth", "users", "rooms", "messages", "realtime"];
  assert.deepEqual(loadConfig({}).services.hosted, all);
  assert.deepEqual(loadConfig({ PARLOR_SERVICES: "all" }).services.hosted, all);
});

test("a gateway needs to know where the others are, and no database", () => {
  const urls = Object.fromEntries(
    ["AUTH", "USERS", "ROOMS", "MESSAGES", "REALTIME"].map((name) => [`PARLOR_${name}_URL`, "http://127.0.0.1:1"]),
  );
  const env = { PARLOR_SERVICES: "gateway", PARLOR_SERVICE_TOKEN: token };
  assert.deepEqual(loadConfig({ ...env, ...urls }).services.hosted, ["gateway"]);
  const { PARLOR_ROOMS_URL: _, ...incomplete } = urls;
  isSaid(problemsOf({ ...env, ...incomplete }), /^PARLOR_ROOMS_URL must be set: this process does not host rooms, and gateway needs it\.$/);
  assert.equal(problemsOf(env).length, 5);
});

test("realtime needs users and messages; the other services need the database alone", () => {
  const env = { ...database, PARLOR_SERVICE_TOKEN: token };
  isSaid(
    problemsOf({ ...env, PARLOR_SERVICES: "realtime" }),
    /^PARLOR_USERS_URL must be set: .*realtime needs it/,
    /^PARLOR_MESSAGES_URL must be set/,
  );
  for (const name of ["auth", "users", "rooms", "messages", "rooms, messages"])
    assert.deepEqual(problemsOf({ ...env, PARLOR_SERVICES: name }), []);
});

test("services apart must have a secret of 32 bytes in common, and a database", () => {
  isSaid(problemsOf({ ...database, PARLOR_SERVICES: "auth" }), /^PARLOR_SERVICE_TOKEN or PARLOR_SERVICE_TOKEN_FILE must be set/);
  isSaid(problemsOf({ PARLOR_SERVICES: "auth", PARLOR_SERVICE_TOKEN: token }), /^DATABASE_URL must be set/);
  const short = problemsOf({ ...database, PARLOR_SERVICES: "auth", PARLOR_SERVICE_TOKEN: "only-31-bytes-of-secret-in-here" });
  isSaid(short, /^PARLOR_SERVICE_TOKEN must be a secret of at least 32 bytes/);
  assert.doesNotMatch(short.join(), /only-31/);
  isSaid(problemsOf({ PARLOR_SERVICE_TOKEN: token, PARLOR_SERVICE_TOKEN_FILE: "/run/token" }), /say the same thing twice/);
});

test("a service that does not exist is named with those that do", () => {
  isSaid(problemsOf({ PARLOR_SERVICES: "gateway,mail" }), /^PARLOR_SERVICES must be all, or a list with commas of gateway, auth, users/);
});
