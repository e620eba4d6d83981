import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Code } from "@parlor/contract";
import { createMetrics, watchable } from "../../src/main/metrics.ts";

test("calls are counted and timed by method, protocol and code", async () => {
  const metrics = createMetrics();
  metrics.called("MessagesService.SendMessage", "grpc", Code.OK, 4);
  metrics.called("MessagesService.SendMessage", "grpc", Code.OK, 40);
  metrics.called("MessagesService.SendMessage", "grpc", Code.NOT_FOUND, 1);
  const text = await metrics.render();
  assert.match(text, /^parlor_calls_total\{method="MessagesService.SendMessage",protocol="grpc",code="OK"\} 2$/m);
  assert.match(text, /^parlor_calls_total\{.*code="NOT_FOUND"\} 1$/m);
  assert.match(text, /^parlor_call_seconds_bucket\{le="0.005",method="MessagesService.SendMessage",protocol="grpc"\} 2$/m);
  assert.match(text, /^parlor_call_seconds_sum\{.*\} 0.045$/m);
});

test("connections, deliveries and commits are told", async () => {
  const metrics = createMetrics();
  metrics.connected("websocket");
  metrics.connected("websocket");
  metrics.disconnected("websocket", "SLOW_CONSUMER");
  metrics.resumed("RECOVERED");
  metrics.delivered(500);
  metrics.committed(17, 3);
  metrics.fannedOut(2);
  const text = await metrics.render();
  assert.match(text, /^parlor_connections\{protocol="websocket"\} 1$/m);
  assert.match(text, /^parlor_disconnects_total\{protocol="websocket",reason="SLOW_CONSUMER"\} 1$/m);
  assert.match(text, /^parlor_resumes_total\{outcome="RECOVERED"\} 1$/m);
  assert.match(text, /^parlor_deliveries_total 500$/m);
  assert.match(text, /^parlor_commit_sends_bucket\{le="32"\} 1$/m);
  assert.match(text, /^parlor_commit_seconds_count 1$/m);
  assert.match(text, /^parlor_fan_out_lag_seconds_count 1$/m);
});

test("a gauge is read when it is asked for", async () => {
  const metrics = createMetrics();
  let rooms = 3;
  metrics.watch("rooms_active", () => rooms);
  assert.match(await metrics.render(), /^parlor_rooms_active 3$/m);
  rooms = 4;
  assert.match(await metrics.render(), /^parlor_rooms_active 4$/m);
});

test("two servers in one process do not add to each other's numbers", async () => {
  createMetrics().delivered(5);
  assert.match(await createMetrics().render(), /^parlor_deliveries_total 0$/m);
});

test("docs/metrics.md lists every metric, with its kind and its labels", async () => {
  const metrics = createMetrics();
  for (const name of watchable) metrics.watch(name, () => 1);
  metrics.called("UsersService.GetMe", "rest", Code.OK, 1);
  metrics.connected("rest");
  metrics.disconnected("rest", "CLIENT");
  metrics.resumed("GAP");
  const text = await metrics.render();
  const shown = [...text.matchAll(/^# TYPE (parlor_\w+) (\w+)$/gm)].map(([, name = "", kind = ""]) => {
    const [, labels = ""] = new RegExp(`^${name}(?:_bucket)?\\{(.*)\\}`, "m").exec(text) ?? [];
    const names = [...labels.matchAll(/(\w+)="/g)].map(([, label]) => label as string).filter((label) => label !== "le");
    return `${name} ${kind} ${names.join(" ")}`.trim();
  });
  const page = readFileSync(new URL("../../../../docs/metrics.md", import.meta.url), "utf8");
  const listed = [...page.matchAll(/^\| `(parlor_\w+)` \| (\w+) \|([^|]*)\|/gm)].map(([, name, kind, labels = ""]) =>
    `${name} ${kind} ${[...labels.matchAll(/`(\w+)`/g)].map(([, label]) => label).join(" ")}`.trim(),
  );
  assert.deepEqual(listed.toSorted(), shown.toSorted());
});

test("the process itself is measured", async () => {
  assert.match(await createMetrics().render(), /^process_resident_memory_bytes /m);
});
