// The forms in which a server can be run, each as processes of its own.
import { ChildNodes } from "../support/child-nodes.ts";
import { ChildServer } from "../support/child-server.ts";
import { engines, freshPostgres } from "../support/databases.ts";
import type { Driver } from "../support/drivers/driver.ts";
import { driversWithMqtt } from "../support/drivers/index.ts";
import { spreadDriver } from "../support/drivers/spread.ts";
import { RedisServer, redisMissing } from "../support/redis.ts";
import { environmentOf, newLayout, partNames } from "../support/services-apart.ts";

/** A running server: the n-th way of driversWithMqtt to speak to it, and what it logged as its own faults. */
export interface Stage extends AsyncDisposable {
  driver(way: number): Driver;
  readonly faults: readonly string[];
}

export interface Form {
  readonly title: string;
  /** Why it cannot be run here; undefined when it can. */
  readonly missing: string | undefined;
  start(): Promise<Stage>;
}

const noPostgres = engines.find(({ name }) => name === "postgres")?.missing;

export const forms: Readonly<Record<string, Form>> = {
  pglite: { title: "one process on PGlite", missing: undefined, start: async () => nodes(1, {}, []) },
  postgres: { title: "one process on PostgreSQL", missing: noPostgres, start: onPostgres },
  nodes: { title: "three nodes on PostgreSQL and Redis", missing: noPostgres ?? redisMissing, start: threeNodes },
  services: { title: "five services apart on PostgreSQL and Redis", missing: noPostgres ?? redisMissing, start: fiveServices },
};

async function onPostgres(): Promise<Stage> {
  const database = await freshPostgres();
  return nodes(1, { DATABASE_URL: database.url }, [database.close]);
}

/** Everyone is on another node, and comes back on yet another. */
async function threeNodes(): Promise<Stage> {
  const database = await freshPostgres();
  const redis = await RedisServer.start();
  return nodes(3, { DATABASE_URL: database.url, REDIS_URL: redis.url }, [database.close, () => redis[Symbol.asyncDispose]()]);
}

async function fiveServices(): Promise<Stage> {
  const database = await freshPostgres();
  const redis = await RedisServer.start();
  const layout = await newLayout(database.url, { REDIS_URL: redis.url });
  const servers: ChildServer[] = [];
  const stop = async (): Promise<void> => {
    for (const server of servers.toReversed()) await server.kill();
    await redis[Symbol.asyncDispose]();
    await database.close();
  };
  try {
    for (const part of partNames) servers.push(await ChildServer.start(environmentOf(layout, part)));
  } catch (error) {
    await stop();
    throw error;
  }
  const port = layout.ports.get("gateway") as number;
  return {
    driver: (way) => driversWithMqtt({ port, url: `http://127.0.0.1:${port}` })[way] as Driver,
    get faults() {
      return servers.flatMap(({ faults }) => faults);
    },
    [Symbol.asyncDispose]: stop,
  };
}

async function nodes(count: number, env: Readonly<Record<string, string>>, closes: ReadonlyArray<() => Promise<void>>): Promise<Stage> {
  const started = await ChildNodes.start(count, env);
  return {
    driver: (way) => spreadDriver(started.ports.map((_, node) => started.driver(node, way))),
    get faults() {
      return started.faults;
    },
    [Symbol.asyncDispose]: async () => {
      await started[Symbol.asyncDispose]();
      for (const close of closes) await close();
    },
  };
}
