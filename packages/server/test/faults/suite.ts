import { describe, test } from "node:test";
import { engines, freshPostgres, type TestPostgres } from "../support/databases.ts";
import { whyNoPrivatePostgres } from "../support/private-postgres.ts";
import { Random, seedOfRun } from "../support/random.ts";
import { RedisServer, redisMissing } from "../support/redis.ts";
import { postgresRestart } from "./postgres.ts";
import { type Place, redisFault, redisFaults } from "./redis.ts";
import { crashOfNodes, rollingRestart } from "./restarts.ts";

/** How long, how often, and which of them. */
export interface Faults {
  /** How long Redis is away (milliseconds). */
  readonly redisAwayMs: number;
  /** Which harms are done to Redis. */
  readonly redisFaults: readonly string[];
  /** How long PostgreSQL is away (milliseconds). */
  readonly postgresAwayMs: number | undefined;
  readonly rollingRestart: boolean;
  readonly kills: number;
}

const postgres = engines.find(({ name }) => name === "postgres");
const skip = postgres?.missing ?? (postgres ? undefined : "not a run of PostgreSQL") ?? redisMissing ?? whyNoPrivatePostgres ?? false;

export function faultSuite(faults: Faults): void {
  describe("Three nodes bear it", { skip }, () => {
    const scene = (what: string, run: (place: Place, random: Random, say: (line: string) => void) => Promise<void>): void => {
      const random = new Random(seedOfRun());
      test(`${what}, seed ${random.seed}`, { timeout: 120_000 }, async (context) => {
        await using redis = await RedisServer.start();
        await using database = await disposable(freshPostgres());
        const env = { DATABASE_URL: database.url, REDIS_URL: redis.url };
        await run({ env, redis }, random, (line) => context.diagnostic(line));
      });
    };
    for (const fault of redisFaults.filter(({ name }) => faults.redisFaults.includes(name)))
      scene(`Redis is ${fault.name}`, (place, random, say) => redisFault(fault, place, random, faults.redisAwayMs, say));
    const { postgresAwayMs } = faults;
    if (postgresAwayMs !== undefined)
      scene("PostgreSQL is restarted", ({ env }, random, say) => postgresRestart(env, random, postgresAwayMs, say));
    if (faults.rollingRestart) scene("a rolling restart", ({ env }, random, say) => rollingRestart(env, random, say));
    if (faults.kills > 0) scene(`${faults.kills} kills of nodes`, ({ env }, random, say) => crashOfNodes(env, random, faults.kills, say));
  });
}

async function disposable(made: Promise<TestPostgres>): Promise<TestPostgres & AsyncDisposable> {
  const database = await made;
  return { ...database, [Symbol.asyncDispose]: database.close };
}
