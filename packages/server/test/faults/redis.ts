// The bus goes away in the midst of everything: hints are lost, and nothing else.
import assert from "node:assert/strict";
import { setTimeout as later } from "node:timers/promises";
import type { Random } from "../support/random.ts";
import type { RedisServer } from "../support/redis.ts";
import { Load } from "./load.ts";
import { Probe, percentile } from "./probe.ts";

/** From acknowledgement to delivery on other nodes while there is no bus, and with one (p99, milliseconds). */
const targets = { away: 2000, back: 500 };
/** The nodes find it again within this time (milliseconds). */
const recoveryMs = 3000;

/** The Redis and the database of a test alone, and how nodes are told of them. */
export interface Place {
  readonly env: Readonly<Record<string, string>>;
  readonly redis: RedisServer;
}

/** How long what is over at once is looked at (milliseconds). */
const momentMs = 1000;

/** What can happen to Redis: `harm` is done for a while, then `heal`. */
export interface RedisFault {
  readonly name: string;
  /** Whether Redis is away until it is healed; otherwise it is there again in a moment. */
  readonly lasting: boolean;
  harm(redis: RedisServer): Promise<void>;
  heal(redis: RedisServer): Promise<void>;
}

const nothing = async (): Promise<void> => undefined;

export const redisFaults: readonly RedisFault[] = [
  { name: "killed", lasting: true, harm: (redis) => redis.kill(), heal: (redis) => redis.restart() },
  { name: "paused", lasting: true, harm: async (redis) => redis.pause(), heal: async (redis) => redis.resume() },
  { name: "emptied", lasting: false, harm: async (redis) => void redis.cli("FLUSHALL"), heal: nothing },
  { name: "cut off", lasting: false, harm: async (redis) => void redis.cli("CLIENT", "KILL", "TYPE", "pubsub"), heal: nothing },
];

export async function redisFault(
  { harm, heal, lasting }: RedisFault,
  { env, redis }: Place,
  random: Random,
  awayMs: number,
  say: (line: string) => void,
): Promise<void> {
  await using load = await Load.start(env, "own node", random);
  using probe = await Probe.start(load.nodes, `y${random.seed.toString(36)}`);
  const begin = performance.now();
  await harm(redis);
  await later(lasting ? awayMs : momentMs);
  if (lasting) assert.equal(await busOf(load, 0), "degraded");
  await heal(redis);
  const back = performance.now();
  await later(recoveryMs);
  const recovered = performance.now();
  assert.equal(await busOf(load, 0), "connected");
  await load.acknowledges(200);
  await probe.finish();
  await load.finish();
  const [away, after] = [probe.between(begin, back), probe.between(recovered, Number.POSITIVE_INFINITY)];
  const [p99, p99After] = [percentile(away, 99), percentile(after, 99)];
  say(
    `while away: ${away.length} deliveries, p50 ${Math.round(percentile(away, 50))}, p99 ${Math.round(p99)} ms; when back: p99 ${Math.round(p99After)} ms`,
  );
  assert.ok(p99 <= targets.away, `p99 while Redis was away: ${p99} ms`);
  assert.ok(p99After <= targets.back, `p99 when Redis was back: ${p99After} ms`);
  assert.equal(load.nodes.running, load.nodes.ports.length, "a node ended");
}

/** What a node says of the bus when it is asked whether it is ready. */
async function busOf({ nodes }: Load, node: number): Promise<string | undefined> {
  const answer = await fetch(`${nodes.urls[node]}/readyz`);
  assert.equal(answer.status, 200);
  return ((await answer.json()) as { readonly bus?: string }).bus;
}
