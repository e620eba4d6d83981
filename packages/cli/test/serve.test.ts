import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { after, test } from "node:test";
import { Cleanup, parlor, Running, serve, temporaryFolder } from "./support/cli.ts";

const cleanup = new Cleanup();
after(() => cleanup.run());
/** One after the other, the servers take the same data. */
const folder = temporaryFolder(cleanup);

test("SIGTERM ends the server in good order, and its socket goes with it", async () => {
  const { running, url, env } = await serve(cleanup, folder);
  assert.equal((await fetch(`${url}/healthz`)).status, 200);
  running.process.kill("SIGTERM");
  const { code, stdout } = await running.ended;
  assert.equal(code, 0);
  assert.match(stdout, /"msg":"Stopped"\}\n$/);
  assert.ok(!existsSync(join(env["PARLOR_DATA_DIR"] ?? "", "parlor.sock")));
});

test("after a SIGKILL the next server starts over what is left", async () => {
  const { running, env } = await serve(cleanup, folder);
  assert.equal((await parlor(["user", "create", "alice", "--admin", "--password-stdin"], env, "correct horse 9")).code, 0);
  running.process.kill("SIGKILL");
  await running.ended;
  const again = await serve(cleanup, folder);
  const { stdout } = await parlor(["user", "list"], again.env);
  assert.match(stdout, /alice/);
  await again.running.until("stderr", /Parlor is ready/);
  assert.doesNotMatch(again.running.stderr, /no administrator/);
  again.running.process.kill("SIGTERM");
  await again.running.ended;
});

test("a second signal ends it at once", async (context) => {
  const { running, url } = await serve(cleanup, folder);
  // A request that never ends keeps the first signal waiting.
  const socket = connect(Number(new URL(url).port), "127.0.0.1").on("error", () => {});
  context.after(() => socket.destroy());
  socket.write("POST /api/v1/auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{");
  await once(socket, "connect");
  await fetch(`${url}/healthz`);
  running.process.kill("SIGTERM");
  await running.until("stdout", /"msg":"Shutting down"/);
  running.process.kill("SIGINT");
  assert.equal((await running.ended).code, 130);
});

test("a process with a part of the services says which, and where clients find something", async () => {
  const names = ["AUTH", "USERS", "ROOMS", "MESSAGES", "REALTIME"];
  const urls = Object.fromEntries(names.map((name) => [`PARLOR_${name}_URL`, "http://127.0.0.1:1"]));
  const { running, url } = await serve(cleanup, folder, { ...urls, PARLOR_SERVICES: "gateway", PARLOR_SERVICE_TOKEN: "x".repeat(32) });
  await running.until("stderr", /Settings:/);
  assert.match(running.stderr, /Hosts +gateway\n/);
  assert.ok(running.stderr.includes(`${url}/api/v1\n`));
  assert.doesNotMatch(running.stderr, /Store|administrator/);
  running.process.kill("SIGTERM");
  await running.ended;
});

test("with JSON asked for, nothing but JSON lines is written", async () => {
  const { running, url } = await serve(cleanup, folder, { PARLOR_LOG_FORMAT: "json" });
  await fetch(`${url}/api/v1/rooms`, { headers: { authorization: "Bearer not.a.token" } });
  running.process.kill("SIGTERM");
  const { stdout, stderr } = await running.ended;
  assert.equal(stderr, "");
  for (const line of stdout.trimEnd().split("\n")) assert.doesNotThrow(() => JSON.parse(line), line);
});

test("a port that is taken is said, with exit code 1", async (context) => {
  const other = createServer().listen(0, "127.0.0.1");
  context.after(() => other.close());
  await once(other, "listening");
  const address = other.address() as { port: number };
  const { code, stdout, stderr } = await new Running(["serve"], {
    PORT: String(address.port),
    HOST: "127.0.0.1",
    PARLOR_DATA_DIR: join(folder, "data"),
  }).ended;
  assert.equal(code, 1);
  assert.match(stdout, /"level":"error".*"msg":"The server cannot run"\}\n$/);
  assert.match(stderr, new RegExp(`^Port ${address.port} is taken`));
});
