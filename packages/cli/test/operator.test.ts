import assert from "node:assert/strict";
import { mkdirSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Cleanup, type Env, parlor, type Served, serve, temporaryFolder } from "./support/cli.ts";

const password = "correct horse 9";
const cleanup = new Cleanup();
after(() => cleanup.run());

describe("while the server runs", () => {
  let served: Served;
  let env: Env;
  before(async () => {
    served = await serve(cleanup, temporaryFolder(cleanup));
    ({ env } = served);
  });

  const user = (...args: string[]) => parlor(["user", ...args], env, password);

  test("it says where things are, and how to make the first administrator", async () => {
    await served.running.until("stderr", /parlor user create NAME --admin/);
    assert.match(served.running.stderr, /REST +http:\/\/.*\/api\/v1\n/);
    assert.match(served.running.stderr, /gRPC/);
  });

  test("only its own user may open the control socket", () => {
    assert.equal(statSync(join(env["PARLOR_DATA_DIR"] ?? "", "parlor.sock")).mode & 0o777, 0o600);
  });

  test("an account is made, changed, listed, closed and opened again", async () => {
    const made = await user("create", "Alice", "--admin", "--display-name", "Alice A.", "--password-stdin", "--json");
    assert.equal(made.stderr, "");
    const { id: _, createdAt: __, ...alice } = JSON.parse(made.stdout) as Record<string, unknown>;
    assert.deepEqual(alice, { username: "alice", displayName: "Alice A.", role: "ADMIN", deactivated: false });
    assert.equal((await user("create", "bob", "--password-stdin")).code, 0);
    assert.equal((await user("promote", "bob", "--role", "MODERATOR")).stdout, "bob is MODERATOR now.\n");
    assert.equal((await user("deactivate", "bob")).stdout, "bob is deactivated now.\n");
    const listed = JSON.parse((await user("list", "--json")).stdout) as { username: string; role: string; deactivated: boolean }[];
    assert.deepEqual(
      listed.map(({ username, role, deactivated }) => [username, role, deactivated]),
      [
        ["alice", "ADMIN", false],
        ["bob", "MODERATOR", true],
      ],
    );
    assert.equal((await user("reactivate", "bob")).stdout, "bob is MODERATOR now.\n");
    assert.match((await user("list", "--role", "ADMIN")).stdout, /^USER NAME.*\nalice .*\n$/);
  });

  test("what the server refuses is said on standard error, with exit code 1", async () => {
    const taken = await user("create", "alice", "--password-stdin");
    assert.deepEqual([taken.code, taken.stdout], [1, ""]);
    const last = await user("deactivate", "alice");
    assert.deepEqual([last.code, last.stderr], [1, "A server must keep one administrator.\n"]);
    assert.equal((await user("promote", "nobody")).code, 1);
    assert.match((await parlor(["user", "create", "carol", "--password-stdin"], env, "short")).stderr, /password must be/);
  });

  test("a token goes alone to standard output, and works", async () => {
    const { code, stdout, stderr } = await parlor(
      ["token", "create", "alice", "--name", "laptop", "--scope", "read,rooms", "--expires", "1d"],
      env,
    );
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^\S+\n$/);
    assert.equal((await parlor(["rooms", "list"], { ...env, PARLOR_TOKEN: stdout.trim() })).code, 0);
    const wrong = await parlor(["token", "create", "alice", "--name", "x", "--scope", "everything"], env);
    assert.equal(wrong.code, 2);
  });

  test("a new key is made and shown to everybody, and tokens of the one before stay good", async () => {
    const [, before] = /^KEY +USE +SINCE\n(\S+) +SIGNING +\S+Z\n$/.exec((await parlor(["key", "list"], env)).stdout) ?? [];
    const url = env["PARLOR_URL"] ?? "";
    const logIn = { method: "POST", headers: { "content-type": "application/json" } };
    const answer = await fetch(`${url}/api/v1/auth/login`, { ...logIn, body: JSON.stringify({ username: "alice", password }) });
    const { tokens } = (await answer.json()) as { tokens: { accessToken: string } };
    const { stdout } = await parlor(["key", "rotate", "--json"], env);
    const keys = JSON.parse(stdout) as { id: string; use: string }[];
    assert.deepEqual(
      keys.map(({ use }) => use),
      ["NEXT", "SIGNING"],
    );
    assert.equal(keys[1]?.id, before);
    const shown = (await (await fetch(`${url}/.well-known/jwks.json`)).json()) as { keys: { kid: string }[] };
    assert.deepEqual(
      shown.keys.map(({ kid }) => kid),
      keys.map(({ id }) => id),
    );
    const me = await fetch(`${url}/api/v1/users/me`, { headers: { authorization: `Bearer ${tokens.accessToken}` } });
    assert.equal(me.status, 200);
  });

  test("another server cannot take the same data folder", async () => {
    const second = await parlor(["serve"], { PARLOR_DATA_DIR: env["PARLOR_DATA_DIR"] ?? "", PORT: "0", HOST: "127.0.0.1" });
    assert.equal(second.code, 3);
    assert.match(second.stderr, /in use by process \d+/);
    assert.equal((await user("list")).code, 0, "the first one goes on");
  });
});

test("without a server, the commands work on the database", async () => {
  const folder = temporaryFolder(cleanup);
  const env = { PARLOR_DATA_DIR: join(folder, "data"), PARLOR_BCRYPT_COST: "4" };
  assert.match((await parlor(["migrate", "up"], env)).stdout, /^applied +0001_/);
  assert.equal((await parlor(["migrate", "up"], env)).stdout, "Nothing to do.\n");
  assert.equal((await parlor(["user", "create", "alice", "--admin", "--password-stdin"], env, password)).code, 0);
  const { stdout } = await parlor(["migrate", "status", "--json"], env);
  const status = JSON.parse(stdout) as { appliedAt: string | null }[];
  assert.ok(status.length > 0 && status.every(({ appliedAt }) => appliedAt !== null));
  assert.match((await parlor(["migrate", "down", String(status.length)], env)).stdout, /taken back +0001_/);
});

test("a folder that is not there does not become a new server", async () => {
  const folder = temporaryFolder(cleanup);
  for (const args of [
    ["user", "list"],
    ["migrate", "status"],
  ]) {
    const { code, stderr } = await parlor(args, { PARLOR_DATA_DIR: join(folder, "mistyped") });
    assert.equal(code, 2);
    assert.match(stderr, /There is no data folder at .*mistyped/);
  }
  assert.deepEqual(readdirSync(folder), []);
});

test("a database that does not answer is exit code 3", async () => {
  const { code, stderr } = await parlor(["user", "list"], { DATABASE_URL: "postgres://parlor:hunter2@127.0.0.1:1/parlor" });
  assert.equal(code, 3);
  assert.ok(!stderr.includes("hunter2"));
});

test("a password is not waited for when there is no terminal", async () => {
  const folder = temporaryFolder(cleanup);
  mkdirSync(join(folder, "data"));
  const { code, stderr } = await parlor(["user", "create", "alice"], { PARLOR_DATA_DIR: join(folder, "data") });
  assert.equal(code, 2);
  assert.match(stderr, /--password-stdin/);
});
