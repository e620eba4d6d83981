// The database goes away in the midst of everything, and comes back.
import assert from "node:assert/strict";
import { setTimeout as later } from "node:timers/promises";
import { PrivatePostgres } from "../support/private-postgres.ts";
import type { Random } from "../support/random.ts";
import { Load } from "./load.ts";

/** The first message is to be stored within this time after the database is back (milliseconds). */
const backWithinMs = 5000;

/** Stops the database as a crash would, and starts it after `awayMs`. */
export async function postgresRestart(
  env: Readonly<Record<string, string>>,
  random: Random,
  awayMs: number,
  say: (line: string) => void,
): Promise<void> {
  await using postgres = await PrivatePostgres.start();
  await using load = await Load.start({ ...env, DATABASE_URL: postgres.url }, "own node", random);
  await postgres.down("immediate");
  await later(awayMs);
  await postgres.up();
  const back = performance.now();
  await load.acknowledges(1);
  const first = load.acks.items.find((at) => at > back) ?? Number.POSITIVE_INFINITY;
  await load.acknowledges(100);
  await load.finish();
  assert.equal(load.nodes.running, load.nodes.ports.length, "a node ended");
  say(`first message ${Math.round(first - back)} ms after PostgreSQL was back, ${load.acks.items.length} acknowledged`);
  assert.ok(first - back <= backWithinMs);
}
