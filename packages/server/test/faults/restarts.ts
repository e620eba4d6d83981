// Nodes that end and come back, while everyone goes on writing and reading.
import assert from "node:assert/strict";
import { setTimeout as later } from "node:timers/promises";
import { ParlorClient } from "@parlor/client";
import { Goodbye_Reason } from "@parlor/contract";
import type { Person } from "../support/drivers/driver.ts";
import type { Random } from "../support/random.ts";
import { Load } from "./load.ts";

/** Clients whose return is measured, beside those who write and read. */
const watchers = 60;

/** What a test says of a run. */
type Say = (line: string) => void;

/** Ends and starts one node after the other, as an upgrade does. */
export async function rollingRestart(env: Readonly<Record<string, string>>, random: Random, say: Say): Promise<void> {
  await using load = await Load.start(env, "any node", random);
  using returns = await Returns.watch(load, watchers);
  for (const node of load.nodes.ports.keys()) {
    const ending = load.nodes.terminate(node);
    await load.acknowledges(50);
    await ending;
    await load.nodes.start(node);
    await load.acknowledges(50);
  }
  await returns.allLive();
  await load.finish();
  requireNoFailures(load);
  say(`${load.acks.items.length} acknowledged; ${returns.summary()}`);
  assert.ok(returns.spreadMs > 1000, `everyone came back at once: ${returns.summary()}`);
}

/** Ends nodes as a crash does, one at a time. */
export async function crashOfNodes(env: Readonly<Record<string, string>>, random: Random, kills: number, say: Say): Promise<void> {
  await using load = await Load.start(env, "any node", random);
  for (let kill = 0; kill < kills; kill++) {
    const node = random.below(load.nodes.ports.length);
    await later(random.next() * 500);
    await load.nodes.kill(node);
    await load.acknowledges(20 + random.below(60));
    await load.nodes.start(node);
    await load.acknowledges(20);
  }
  await load.finish();
  requireNoFailures(load);
  say(`${load.acks.items.length} acknowledged, ${kills} kills`);
}

/** The client library tries again by itself: who uses it sees no failure. Bare gRPC has to be called again. */
function requireNoFailures({ writers }: Load): void {
  for (const { name, failures } of writers) if (!name.startsWith("gRPC")) assert.equal(failures, 0, `sends over ${name} failed`);
}

/** Clients that are told to come back, and when they do. */
class Returns implements Disposable {
  readonly #clients: readonly ParlorClient[];
  readonly #waits: number[] = [];
  readonly #liveAfter: number[] = [];

  private constructor(clients: readonly ParlorClient[]) {
    this.#clients = clients;
    for (const client of clients) this.#watch(client);
  }

  static async watch({ nodes, world }: Load, count: number): Promise<Returns> {
    const people = world.people as readonly Person[];
    const clients = Array.from({ length: count }, (_, n) => {
      const token = (people[n % people.length] as Person).token;
      return new ParlorClient({ url: nodes.urls, token, format: "proto", backoff: { baseMs: 20, capMs: 200 } });
    });
    await Promise.all(clients.map((client) => client.connect()));
    return new Returns(clients);
  }

  /** From the first of them to the last, as the servers asked them to come (milliseconds). */
  get spreadMs(): number {
    return Math.max(...this.#waits) - Math.min(...this.#waits);
  }

  async allLive(): Promise<void> {
    for (const client of this.#clients) await client.connect();
    while (this.#clients.some(({ state }) => state !== "live")) await later(20);
  }

  summary(): string {
    const range = (times: readonly number[]): string => `${Math.round(Math.min(...times))} to ${Math.round(Math.max(...times))} ms`;
    const perSecond = [0, 1, 2, 3, 4].map((second) => this.#waits.filter((wait) => Math.floor(wait / 1000) === second).length);
    return `${this.#waits.length} goodbyes asked to come back after ${range(this.#waits)} (${perSecond.join(", ")} in each second), live again after ${range(this.#liveAfter)}`;
  }

  [Symbol.dispose](): void {
    for (const client of this.#clients) client.close();
  }

  #watch(client: ParlorClient): void {
    let since: number | undefined;
    client.on("state", ({ state, goodbye, retryInMs }) => {
      if (goodbye === Goodbye_Reason.SHUTDOWN) {
        since = performance.now();
        this.#waits.push(retryInMs ?? 0);
      } else if (state === "live" && since !== undefined) {
        this.#liveAfter.push(performance.now() - since);
        since = undefined;
      }
    });
  }
}
