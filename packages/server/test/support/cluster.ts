// Several nodes in one process, on one PostgreSQL database and one bus that tests may break.
import { MemoryBusHub } from "../../src/engines/bus-memory.ts";
import { type Environment, loadConfig, type RunningServer, startServer } from "../../src/index.ts";
import type { Bus } from "../../src/ports/bus.ts";
import type { Clock } from "../../src/ports/clock.ts";
import type { Database } from "../../src/ports/database.ts";
import { type Engine, engines, freshPostgres } from "./databases.ts";
import type { Driver, Person } from "./drivers/driver.ts";
import { driversOf } from "./drivers/index.ts";
import { newName } from "./party.ts";
import { RedisServer } from "./redis.ts";
import { faultLog, password, testEnvironment } from "./running.ts";

interface Joined {
  readonly bus?: Bus;
  readonly env?: Environment;
}

/** What the nodes of a cluster tell each other by. */
export interface ClusterBus {
  readonly name: string;
  /** For the next node: a bus that it gets, or settings with which it opens its own. */
  join(): Joined | Promise<Joined>;
  /** Loses everything that is published, until the returned function is called; nodes may find each other again after it. */
  interrupt(): Promise<() => Promise<void>>;
  close(): Promise<void>;
}

export function memoryBus(): ClusterBus {
  const hub = new MemoryBusHub();
  return {
    name: "memory",
    join: () => ({ bus: hub.join() }),
    interrupt: async () => {
      const resume = hub.interrupt();
      return async () => resume();
    },
    close: async () => undefined,
  };
}

/** A Redis of its own, which is killed and started again. */
export async function redisBus(): Promise<ClusterBus> {
  const redis = await RedisServer.start();
  return {
    name: "Redis",
    join: () => ({ env: { REDIS_URL: redis.url } }),
    interrupt: async () => {
      await redis.kill();
      return () => redis.restart();
    },
    close: () => redis[Symbol.asyncDispose](),
  };
}

export interface ClusterNode {
  readonly server: RunningServer;
  readonly port: number;
  readonly url: string;
  /** gRPC, REST with WebSocket JSON, REST with WebSocket protobuf. */
  readonly drivers: readonly Driver[];
}

export interface Cluster extends AsyncDisposable {
  readonly nodes: readonly ClusterNode[];
  readonly bus: ClusterBus;
  /** Theirs, for a test that looks into it or gets into their way. */
  readonly database: Database;
  /** What the nodes logged as their own faults. */
  readonly faults: readonly string[];
  /** Has the nodes hear nothing of each other until the returned function is called, which waits until they do again. */
  interrupt(): Promise<() => Promise<void>>;
  /** Starts one more node. */
  add(): Promise<ClusterNode>;
  /** Stops a node, as by SIGTERM. */
  stop(node: ClusterNode): Promise<void>;
  /** Somebody new, signed up at a node; whoever comes from here is closed with the cluster. */
  signUp(node?: number, way?: number): Promise<Person>;
  /** Another session of somebody, with the password of every test. */
  logIn(username: string, node?: number, way?: number): Promise<Person>;
  /** The same session at another node, by any protocol. */
  at(person: Pick<Person, "token" | "user">, node: number, way?: number): Person;
  /** An administrator, signed in at a node. */
  admin(node?: number): Promise<Person>;
}

/** Why there can be no cluster here; undefined when there can. */
export const noCluster: string | undefined = (engines as readonly Engine[]).some(({ name }) => name === "postgres")
  ? engines.find(({ name }) => name === "postgres")?.missing
  : "PARLOR_TEST_DATABASE leaves PostgreSQL out";

/** Starts `size` nodes; `env` is added to what every test server is told. */
export async function cluster(
  bus: ClusterBus,
  { size = 3, env = {}, clock }: { readonly size?: number; readonly env?: Environment; readonly clock?: Clock } = {},
): Promise<Cluster> {
  const { url, database, close } = await freshPostgres();
  const faults: string[] = [];
  const nodes: ClusterNode[] = [];
  const add = async (): Promise<ClusterNode> => {
    const joined = await bus.join();
    const config = loadConfig({ ...testEnvironment, DATABASE_URL: url, ...joined.env, ...env });
    const server = await startServer(config, { log: faultLog(faults), ...(clock && { clock }), ...(joined.bus && { bus: joined.bus }) });
    const place = { server, port: server.port, url: `http://127.0.0.1:${server.port}` };
    const node = { ...place, drivers: driversOf(place) };
    nodes.push(node);
    return node;
  };
  const stop = async (node: ClusterNode): Promise<void> => {
    nodes.splice(nodes.indexOf(node), 1);
    await node.server.close();
  };
  for (let i = 0; i < size; i++) await add();
  const people: Person[] = [];
  const kept = (person: Person): Person => {
    people.push(person);
    return person;
  };
  const driver = (node: number, way: number): Driver => nodes[node % nodes.length]?.drivers[way % 3] as Driver;
  return {
    nodes,
    bus,
    database,
    faults,
    interrupt: async () => {
      const resume = await bus.interrupt();
      return async () => {
        await resume();
        await Promise.all(nodes.map(connected));
      };
    },
    add,
    stop,
    signUp: async (node = 0, way = 0) => kept(await driver(node, way).signUp(newName())),
    logIn: async (username, node = 0, way = 0) => kept(await driver(node, way).logIn(username)),
    at: (person, node, way = 0) => kept(driver(node, way).withToken(person.token, person.user)),
    admin: async (node = 0) => {
      const username = newName();
      await nodes[0]?.server.admin?.createUser({ username, password, role: "ADMIN" });
      return kept(await driver(node, 0).logIn(username));
    },
    [Symbol.asyncDispose]: async () => {
      for (const person of people) person.close();
      await Promise.all([...nodes].map(stop));
      await bus.close();
      await close();
    },
  };
}

/** Resolves when the node's bus works. One within the process always does, and shows no such number. */
async function connected({ url }: ClusterNode): Promise<void> {
  while (/^parlor_bus_connected 0$/m.test(await (await fetch(`${url}/metrics`)).text()));
}
