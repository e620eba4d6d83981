// The scenario with its people on three nodes: what they see must be what they see on one.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { type Cluster, cluster, memoryBus, noCluster } from "../support/cluster.ts";
import type { Driver } from "../support/drivers/driver.ts";
import { spreadDriver } from "../support/drivers/spread.ts";
import { firstDifference } from "../support/transcript.ts";
import { scenario } from "./scenario.ts";

describe("One scenario on three nodes", { skip: noCluster ?? false }, () => {
  let nodes: Cluster;
  before(async () => {
    nodes = await cluster(memoryBus());
  });
  after(() => nodes[Symbol.asyncDispose]());

  for (const way of [0, 1, 2]) {
    test(["gRPC", "REST + WebSocket JSON", "REST + WebSocket protobuf"][way] as string, { timeout: 60_000 }, async () => {
      const drivers = nodes.nodes.map((node) => node.drivers[way] as Driver);
      const suffix = (): string => `x${randomBytes(4).toString("hex")}`;
      const expected = await scenario(drivers[0] as Driver, suffix());
      // Calls and stream of a person at one node, and at two.
      for (const apart of [0, 1]) {
        const noted = await scenario(spreadDriver(drivers, apart), suffix());
        assert.deepEqual(firstDifference(noted, expected), undefined, `streams ${apart} nodes from home`);
      }
      assert.deepEqual(nodes.faults, []);
    });
  }
});
