// Three nodes under load: writers on every protocol and readers on every node, for a test that does them harm.

import type { Environment } from "../../src/index.ts";
import { type Reader, readByClient, readByGrpc } from "../crash/readers.ts";
import { check, makeWorld, type World, writersOf } from "../crash/world.ts";
import type { Writer } from "../crash/writers.ts";
import { Balancer } from "../support/balancer.ts";
import { ChildNodes } from "../support/child-nodes.ts";
import { clientDriver } from "../support/drivers/client.ts";
import type { Driver, Person } from "../support/drivers/driver.ts";
import { driversOf } from "../support/drivers/index.ts";
import { Inbox } from "../support/inbox.ts";
import type { Random } from "../support/random.ts";

/** Each writer's pause before the next message (milliseconds). */
const everyMs = 15;
const nodeCount = 3;

/** How clients find a node: each has one of its own, or they go to any that lives. */
export type Access = "own node" | "any node";

export class Load implements AsyncDisposable {
  readonly nodes: ChildNodes;
  readonly world: World;
  readonly writers: readonly Writer[];
  readonly readers: readonly Reader[];
  /** When each message was acknowledged (performance.now). */
  readonly acks = new Inbox<number>();
  readonly #balancer: Balancer;
  #writing: Promise<unknown> = Promise.resolve();

  private constructor(nodes: ChildNodes, balancer: Balancer, world: World, readers: readonly Reader[], random: Random) {
    this.nodes = nodes;
    this.#balancer = balancer;
    this.world = world;
    this.readers = readers;
    this.writers = writersOf(world, random, () => this.acks.put(performance.now()), everyMs);
  }

  /** Starts nodes, writers and readers; `env` says where database and bus are. */
  static async start(env: Environment, access: Access, random: Random): Promise<Load> {
    const nodes = await ChildNodes.start(nodeCount, { PARLOR_RING_EVENTS: "64", ...env });
    const balancer = await Balancer.before(nodes.ports);
    try {
      const drivers = access === "own node" ? ownNodes(nodes) : anyNode(nodes, balancer);
      const world = await makeWorld(drivers, `x${random.seed.toString(36)}`);
      const load = new Load(nodes, balancer, world, await readersOf(nodes, access, world), random);
      load.#writing = Promise.all(load.writers.map((writer) => writer.run()));
      load.#writing.catch(() => undefined);
      await load.acknowledges(100);
      return load;
    } catch (error) {
      await balancer[Symbol.asyncDispose]();
      await nodes[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Resolves when so many more messages have been acknowledged. */
  async acknowledges(count: number): Promise<void> {
    const enough = this.acks.items.length + count;
    await Promise.race([this.acks.until((items) => items.length >= enough), this.#writing.then(() => undefined)]);
  }

  /** Ends the writing and looks at everything. @throws AssertionError when anything was lost, doubled, torn or out of order */
  async finish(): Promise<void> {
    for (const writer of this.writers) writer.stop();
    await this.#writing;
    await check(this.world, this.writers, this.readers);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const writer of this.writers) writer.stop();
    for (const one of [...this.readers, ...this.world.people]) one.close();
    await this.#balancer[Symbol.asyncDispose]();
    await this.nodes[Symbol.asyncDispose]();
  }
}

/** The owner, then the writers, in the order of makeWorld: person n is on node n modulo 3. */
function ownNodes(nodes: ChildNodes): Driver[] {
  const ways = [1, 0, 0, 1, 1, 2];
  return ways.map((way, n) => nodes.driver(n % nodeCount, way));
}

/** The client library knows all nodes; gRPC goes through a balancer. */
function anyNode(nodes: ChildNodes, { port, url }: Balancer): Driver[] {
  const grpc = driversOf({ port, url })[0] as Driver;
  const [json, proto] = [clientDriver(nodes.urls, "json"), clientDriver(nodes.urls, "proto")];
  return [json, grpc, grpc, json, json, proto];
}

/** One on each node, to begin with. */
async function readersOf(nodes: ChildNodes, access: Access, { people, roomId, start }: World): Promise<Reader[]> {
  const [owner, other] = people as [Person, Person];
  const url = (node: number): string | readonly string[] => (access === "own node" ? (nodes.urls[node] as string) : nodes.urls);
  const third = access === "own node" ? nodes.driver(2, 0).withToken(other.token, other.user) : other;
  const grpc = await readByGrpc(third, roomId, start);
  const close = (): void => {
    grpc.close();
    third.close();
  };
  return [
    await readByClient(url(0), "json", owner.token, roomId, start),
    await readByClient(url(1), "proto", owner.token, roomId, start),
    { ...grpc, close },
  ];
}
