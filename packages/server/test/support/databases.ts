// Fresh databases for tests: each is empty but for the schema, and gone when closed.
import { createHash, randomBytes } from "node:crypto";
import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe } from "node:test";
import type { Kysely } from "kysely";
import { openPglite, type PgliteDatabase } from "../../src/engines/database-pglite.ts";
import { openPostgres } from "../../src/engines/database-postgres.ts";
import type { Database } from "../../src/ports/database.ts";
import { storeOver } from "../../src/store/kysely.ts";
import { migrate } from "../../src/store/migrator.ts";
import type { Schema } from "../../src/store/schema.ts";

export interface TestDatabase<D extends Database = Database> {
  readonly database: D;
  readonly store: Kysely<Schema>;
  close(): Promise<void>;
}

export interface TestPostgres extends TestDatabase {
  /** For further pools of sessions. */
  readonly url: string;
}

export interface Engine {
  readonly name: "pglite" | "postgres";
  /** Why the engine cannot be tested here; undefined when it can. */
  readonly missing: string | undefined;
  fresh(): Promise<TestDatabase>;
}

/** A server in which databases may be made. */
const postgresUrl = process.env.PARLOR_TEST_POSTGRES_URL ?? "postgres://postgres@127.0.0.1:5432/postgres";

/** In memory, from a copy of a migrated one that is kept between runs, which takes a third of the time. */
export async function freshPglite(): Promise<TestDatabase<PgliteDatabase>> {
  const database = await openPglite({ dataDir: undefined, template: await migratedPglite() });
  return { database, store: storeOver(database), close: () => database.close() };
}

/** A database of its own in the server at PARLOR_TEST_POSTGRES_URL. */
export async function freshPostgres(): Promise<TestPostgres> {
  const name = `parlor_test_${randomBytes(6).toString("hex")}`;
  await administer(`create database ${name}`);
  const url = Object.assign(new URL(postgresUrl), { pathname: `/${name}` }).href;
  const database = await openPostgres({ url });
  const store = storeOver(database);
  await migrate(store);
  const close = async () => {
    await database.close();
    await administer(`drop database ${name} with (force)`);
  };
  return { database, store, url, close };
}

/** The engines that this run tests: both, or the one that PARLOR_TEST_DATABASE names. */
export const engines: readonly Engine[] = await chosenEngines();

/** Runs a suite once per engine, each time on a fresh database. */
export function onEveryDatabase(title: string, suite: (current: () => TestDatabase) => void): void {
  for (const { name, missing, fresh } of engines) {
    describe(`${title} (${name})`, { skip: missing ?? false }, () => {
      let current: TestDatabase;
      before(async () => {
        current = await fresh();
      });
      after(() => current.close());
      suite(() => current);
    });
  }
}

async function chosenEngines(): Promise<Engine[]> {
  const all: Engine[] = [
    { name: "pglite", missing: undefined, fresh: freshPglite },
    { name: "postgres", missing: await whyNoPostgres(), fresh: freshPostgres },
  ];
  const chosen = process.env.PARLOR_TEST_DATABASE;
  return chosen === undefined ? all : all.filter(({ name }) => name === chosen);
}

/** In CI a missing server is a failure, which the tests themselves then report. */
async function whyNoPostgres(): Promise<string | undefined> {
  if (process.env.CI === "true") return undefined;
  try {
    await administer("select 1");
    return undefined;
  } catch (error) {
    return `no PostgreSQL at ${postgresUrl}: ${(error as Error).message}`;
  }
}

async function administer(statement: string): Promise<void> {
  const database = await openPostgres({ url: postgresUrl, poolSize: 1 });
  try {
    await database.query(statement);
  } finally {
    await database.close();
  }
}

/** The files of a migrated database, for the option `template`. */
export async function migratedPglite(): Promise<Uint8Array<ArrayBuffer>> {
  const path = join(tmpdir(), `parlor-test-${templateKey()}.tar`);
  if (existsSync(path)) return new Uint8Array(readFileSync(path));
  const database = await openPglite({ dataDir: undefined });
  await migrate(storeOver(database));
  const template = await database.dump();
  await database.close();
  // Renamed, since test files run at the same time.
  const unfinished = `${path}.${process.pid}`;
  writeFileSync(unfinished, template, { mode: 0o600 });
  renameSync(unfinished, path);
  return template;
}

/** Changes with whatever the template is made of. */
function templateKey(): string {
  const folder = new URL("../../src/store/migrations/", import.meta.url);
  const hash = createHash("sha256").update(readFileSync(new URL(import.meta.resolve("@electric-sql/pglite"))));
  for (const file of readdirSync(folder).sort()) hash.update(readFileSync(new URL(file, folder)));
  return hash.digest("hex").slice(0, 16);
}
