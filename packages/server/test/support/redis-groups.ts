// Several Redis servers that stand for each other: a cluster, and a master with a replica under sentinels.
import { spawnSync } from "node:child_process";
import { freePort } from "./child-server.ts";
import { RedisServer } from "./redis.ts";

export interface RedisGroup extends AsyncDisposable {
  readonly url: string;
  readonly servers: readonly RedisServer[];
}

const slots = 16384;

/** A cluster of three primaries without replicas. Resolves when it serves every slot. */
export async function redisCluster(): Promise<RedisGroup> {
  const servers = await Promise.all([0, 1, 2].map(async () => RedisServer.start({ config: await clusterConfig() })));
  const hosts = servers.map(({ port }) => `127.0.0.1:${port}`);
  const { status, stdout } = spawnSync("redis-cli", ["--cluster", "create", ...hosts, "--cluster-yes"], { encoding: "utf8" });
  if (status !== 0) throw new Error(stdout);
  await clusterServes(servers);
  return { url: `redis+cluster://${hosts.join(",")}`, servers, [Symbol.asyncDispose]: () => disposeAll(servers) };
}

/** Waits until every server of a cluster says that every slot is served. */
export async function clusterServes(servers: readonly RedisServer[]): Promise<void> {
  for (const server of servers) {
    await server.answers(
      (answer) => answer.includes("cluster_state:ok") && answer.includes(`cluster_slots_ok:${slots}`),
      "CLUSTER",
      "INFO",
    );
  }
}

async function clusterConfig(): Promise<string[]> {
  return ["cluster-enabled yes", `cluster-port ${await freePort()}`, "cluster-node-timeout 1000", "cluster-config-file nodes.conf"];
}

/** A master with a password, its replica, and three sentinels without one, which act after a second. The first server is the master. */
export async function redisUnderSentinels(): Promise<RedisGroup> {
  const secret = ["requirepass hunter2", "masterauth hunter2"];
  const master = await RedisServer.start({ config: secret });
  const replica = await RedisServer.start({ config: [...secret, `replicaof 127.0.0.1 ${master.port}`] });
  await replica.answers((answer) => answer.includes("master_link_status:up"), "-a", "hunter2", "--no-auth-warning", "INFO", "replication");
  const config = [
    `sentinel monitor mymaster 127.0.0.1 ${master.port} 2`,
    "sentinel auth-pass mymaster hunter2",
    "sentinel down-after-milliseconds mymaster 1000",
    "sentinel failover-timeout mymaster 3000",
  ];
  const sentinels = await Promise.all([0, 1, 2].map(() => RedisServer.start({ config, sentinel: true })));
  for (const sentinel of sentinels) {
    const knows = (answer: string): boolean => /slaves=1,sentinels=3/.test(answer);
    await sentinel.answers(knows, "INFO", "sentinel");
  }
  const hosts = sentinels.map(({ port }) => `127.0.0.1:${port}`);
  const servers = [master, replica, ...sentinels];
  return { url: `redis+sentinel://:hunter2@${hosts.join(",")}/mymaster`, servers, [Symbol.asyncDispose]: () => disposeAll(servers) };
}

async function disposeAll(servers: readonly RedisServer[]): Promise<void> {
  await Promise.all(servers.map((server) => server[Symbol.asyncDispose]()));
}
