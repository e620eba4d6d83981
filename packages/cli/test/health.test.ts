import assert from "node:assert/strict";
import { after, test } from "node:test";
import { Cleanup, parlor, serve, temporaryFolder } from "./support/cli.ts";

const cleanup = new Cleanup();
after(() => cleanup.run());

test("health is that of the server on this machine, or of the one at an address", async () => {
  const { url } = await serve(cleanup, temporaryFolder(cleanup));
  const PORT = new URL(url).port;
  assert.deepEqual(await parlor(["health"], { PORT }), { code: 0, stdout: "healthy\n", stderr: "" });
  assert.deepEqual(await parlor(["health", "--ready", "--url", url]), { code: 0, stdout: "ready\n", stderr: "" });
});

test("a server that is not there is unhealthy, and what is no address is refused", async () => {
  const { code, stdout, stderr } = await parlor(["health", "--url", "http://127.0.0.1:1"]);
  assert.deepEqual([code, stdout], [3, ""]);
  assert.match(stderr, /^http:\/\/127\.0\.0\.1:1\/healthz does not answer: .*ECONNREFUSED/);
  assert.equal((await parlor(["health", "--url", "localhost:8080"])).code, 2);
});
