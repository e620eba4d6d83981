import { after, before, describe } from "node:test";
import type { Environment } from "../../src/index.ts";
import { type Cluster, cluster, memoryBus, noCluster } from "../support/cluster.ts";

/** Runs a suite once per bus, each time on three nodes. */
export function onEveryBus(title: string, suite: (current: () => Cluster) => void, env: Environment = {}): void {
  for (const open of [memoryBus]) {
    const bus = open();
    describe(`${title} (${bus.name})`, { skip: noCluster ?? false, timeout: 120_000 }, () => {
      let current: Cluster;
      before(async () => {
        current = await cluster(bus, { env });
      });
      after(() => current[Symbol.asyncDispose]());
      suite(() => current);
    });
  }
}
