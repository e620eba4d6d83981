import { after, before, describe } from "node:test";
import type { Environment } from "../../src/index.ts";
import { type Cluster, type ClusterBus, cluster, memoryBus, noCluster, redisBus } from "../support/cluster.ts";
import { redisMissing } from "../support/redis.ts";

interface Engine {
  readonly name: string;
  readonly missing: string | undefined;
  readonly open: () => Promise<ClusterBus>;
}

const buses: readonly Engine[] = [
  { name: "memory", missing: undefined, open: async () => memoryBus() },
  { name: "Redis", missing: redisMissing, open: redisBus },
];

/** Runs a suite once per bus, each time on three nodes. */
export function onEveryBus(title: string, suite: (current: () => Cluster) => void, env: Environment = {}): void {
  for (const { name, missing, open } of buses) {
    describe(`${title} (${name})`, { skip: noCluster ?? missing ?? false, timeout: 120_000 }, () => {
      let current: Cluster;
      before(async () => {
        current = await cluster(await open(), { env });
      });
      after(() => current[Symbol.asyncDispose]());
      suite(() => current);
    });
  }
}
