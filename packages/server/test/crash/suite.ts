import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { openPglite } from "../../src/engines/database-pglite.ts";
import { type Engine, engines, freshPglite, freshPostgres } from "../support/databases.ts";
import { Random, seedOfRun } from "../support/random.ts";
import { RedisServer, redisMissing } from "../support/redis.ts";
import { onEveryEngine } from "../support/running.ts";
import { crashes } from "./crash.ts";
import { crashesOfNodes } from "./nodes.ts";

interface Place extends AsyncDisposable {
  readonly data: Readonly<Record<string, string>>;
}

/** A directory with a database made beforehand, which takes a child several seconds. */
async function directory(): Promise<Place> {
  const path = await mkdtemp(join(tmpdir(), "parlor-crash-"));
  const { database, close } = await freshPglite();
  const template = await database.dump();
  await close();
  await (await openPglite({ dataDir: path, template })).close();
  return { data: { PARLOR_DATA_DIR: path }, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

async function serverDatabase(): Promise<Place> {
  const path = await mkdtemp(join(tmpdir(), "parlor-crash-"));
  const { url, close } = await freshPostgres();
  const remove = async (): Promise<void> => {
    await close();
    await rm(path, { recursive: true, force: true });
  };
  return { data: { DATABASE_URL: url, PARLOR_DATA_DIR: path }, [Symbol.asyncDispose]: remove };
}

const postgres = engines.find(({ name }) => name === "postgres");

/** Kills two nodes in turn, so many times in all. */
export function nodesSuite(kills: number): void {
  const skip = postgres?.missing ?? (postgres ? undefined : "not a run of PostgreSQL") ?? redisMissing ?? false;
  const random = new Random(seedOfRun());
  test(`Two nodes are killed in turn under devices, ${kills} times, seed ${random.seed}`, { timeout: 120_000, skip }, async (context) => {
    await using redis = await RedisServer.start();
    await using place = await serverDatabase();
    context.diagnostic(
      await crashesOfNodes({ env: { DATABASE_URL: place.data["DATABASE_URL"] ?? "", REDIS_URL: redis.url }, kills, random }),
    );
  });
}

/** Kills the server so many times on each engine. */
export function crashSuite(kills: Readonly<Record<Engine["name"], number>>): void {
  onEveryEngine("Nothing acknowledged is lost when the server is killed", ({ name }) => {
    const random = new Random(seedOfRun());
    test(`${kills[name]} times, seed ${random.seed}`, { timeout: 600_000 }, async (context) => {
      await using place = await (name === "pglite" ? directory() : serverDatabase());
      const acknowledged = await crashes({ data: place.data, kills: kills[name], random });
      context.diagnostic(`${acknowledged} messages were acknowledged`);
      assert.ok(acknowledged > kills[name]);
    });
  });
}
