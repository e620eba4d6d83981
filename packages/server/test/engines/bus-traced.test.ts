import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryBusHub } from "../../src/engines/bus-memory.ts";
import { tracedBus } from "../../src/engines/bus-traced.ts";
import { openOtel } from "../../src/engines/tracing-otel.ts";
import { busState } from "../../src/ports/bus.ts";
import type { Tracing } from "../../src/ports/tracing.ts";
import { busSuite } from "../suites/bus.ts";

function newTracing(): Tracing {
  // Nothing is recorded, so nothing is sent.
  return openOtel({
    url: "http://127.0.0.1:9/v1/traces",
    serviceName: "test",
    version: "0",
    nodeId: "test",
    sampler: "always_off",
    ratio: 1,
    onFailure: (error) => assert.fail(error),
  });
}

busSuite("one process, with traces", async () => {
  const hub = new MemoryBusHub();
  const tracing = newTracing();
  return {
    join: async () => tracedBus(hub.join(), tracing),
    interrupt: async () => {
      const heal = hub.interrupt();
      return async () => heal();
    },
    close: () => tracing.close(),
  };
});

test("with traces or without, it tells the state of the bus below, where that has one", () => {
  const bus = new MemoryBusHub().join();
  const state = { connected: false, published: 0, dropped: 0, received: 0, gaps: 0 };
  assert.equal(busState(tracedBus(bus, undefined)), undefined);
  assert.deepEqual(busState(tracedBus(Object.assign(bus, { state }), undefined)), state);
});

test("nodes with and without traces understand each other, whatever a payload begins with", async () => {
  const hub = new MemoryBusHub();
  const tracing = newTracing();
  const nodes = [tracedBus(hub.join(), tracing), tracedBus(hub.join(), undefined), tracedBus(hub.join(), tracing)];
  const payloads = ["", "\0", "\0\n", `\0${"x".repeat(100)}`, "\n", "plain"];
  const heard = nodes.map((): string[] => []);
  const traces = new Set<string>();
  nodes.forEach((bus, index) => {
    bus.subscribe(
      "room:1",
      (payload) => {
        heard[index]?.push(Buffer.from(payload).toString());
        const here = tracing.current();
        if (here !== undefined) traces.add(here.slice(0, 35));
      },
      () => {},
    );
  });
  const publish = (): void => {
    for (const payload of payloads) for (const bus of nodes) bus.publish("room:1", Buffer.from(payload));
  };
  publish();
  tracing.span("outer", {}, publish);
  await new Promise((resolve) => setImmediate(resolve));
  const fromEach = (nodeCount: number): string[] => payloads.flatMap((payload) => Array.from({ length: nodeCount }, () => payload));
  for (const list of heard) assert.deepEqual(list.toSorted(), [...fromEach(2), ...fromEach(2)].toSorted());
  assert.equal(traces.size, 1);
  await tracing.close();
});
