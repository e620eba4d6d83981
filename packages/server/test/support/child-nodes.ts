// Several nodes of one server, each a process of its own, which can be ended and started again where they were.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Environment } from "../../src/index.ts";
import { ChildServer, freePort } from "./child-server.ts";
import type { Driver } from "./drivers/driver.ts";
import { driversWithMqtt } from "./drivers/index.ts";
import { testEnvironment } from "./running.ts";

export class ChildNodes implements AsyncDisposable {
  readonly ports: readonly number[];
  readonly #env: Environment;
  readonly #folder: string;
  readonly #servers: (ChildServer | undefined)[] = [];

  private constructor(ports: readonly number[], env: Environment, folder: string) {
    this.ports = ports;
    this.#env = env;
    this.#folder = folder;
  }

  /** Starts so many; `env` says where their database and their bus are. */
  static async start(count: number, env: Environment): Promise<ChildNodes> {
    const ports: number[] = [];
    while (ports.length < count) ports.push(await freePort());
    const nodes = new ChildNodes(ports, env, await mkdtemp(join(tmpdir(), "parlor-nodes-")));
    try {
      await Promise.all(ports.map((_, node) => nodes.start(node)));
    } catch (error) {
      await nodes[Symbol.asyncDispose]();
      throw error;
    }
    return nodes;
  }

  get urls(): string[] {
    return this.ports.map((port) => `http://127.0.0.1:${port}`);
  }

  /** A way to speak to a node: the n-th of driversWithMqtt. */
  driver(node: number, way: number): Driver {
    const port = this.ports[node] as number;
    return driversWithMqtt({ port, url: `http://127.0.0.1:${port}` })[way] as Driver;
  }

  /** Starts a node that was ended, on its port. */
  async start(node: number): Promise<void> {
    const own = { PORT: String(this.ports[node]), PARLOR_DATA_DIR: join(this.#folder, String(node)) };
    this.#servers[node] = await ChildServer.start({ ...testEnvironment, ...this.#env, ...own });
  }

  async terminate(node: number): Promise<void> {
    await this.#servers[node]?.terminate();
  }

  async kill(node: number): Promise<void> {
    await this.#servers[node]?.kill();
  }

  get running(): number {
    return this.#servers.filter((server) => server?.running).length;
  }

  /** What the nodes that were started last logged as their own faults. */
  get faults(): string[] {
    return this.#servers.flatMap((server) => server?.faults ?? []);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#servers.map((server) => server?.kill()));
    await rm(this.#folder, { recursive: true, force: true });
  }
}
