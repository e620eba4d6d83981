// What a node tells of Redis to those who run it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { cluster, noCluster, redisBus } from "../support/cluster.ts";
import { redisMissing } from "../support/redis.ts";

async function tells(url: string, path: string, wanted: RegExp): Promise<number> {
  for (;;) {
    const answer = await fetch(url + path);
    if (wanted.test(await answer.text())) return answer.status;
  }
}

test("a node without Redis is ready, and says what it lacks", { skip: noCluster ?? redisMissing ?? false, timeout: 60_000 }, async () => {
  const bus = await redisBus();
  await using current = await cluster(bus, { size: 1 });
  const url = current.nodes[0]?.url ?? "";
  assert.equal(await tells(url, "/readyz", /^{"status":"ready","bus":"connected"}$/), 200);
  assert.equal(await tells(url, "/metrics", /^parlor_bus_connected 1$/m), 200);
  const heal = await bus.interrupt();
  assert.equal(await tells(url, "/readyz", /^{"status":"ready","bus":"degraded"}$/), 200);
  assert.equal(await tells(url, "/metrics", /^parlor_bus_connected 0$/m), 200);
  await heal();
  assert.equal(await tells(url, "/readyz", /"bus":"connected"/), 200);
  assert.equal(await tells(url, "/metrics", /^parlor_bus_gaps_total 1$/m), 200);
});
