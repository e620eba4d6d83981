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
  await administer(async (server) => {
    const template = await migratedPostgres(server);
    await server.query(`create database ${name} template ${template}`);
  });
  const url = urlOf(name);
  const database = await openPostgres({ url });
  const store = storeOver(database);
  const close = async () => {
    await database.close();
    await administer((server) => server.query(`drop database ${name} with (force)`));
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
    await administer((server) => server.query("select 1"));
    return undefined;
  } catch (error) {
    return `no PostgreSQL at ${postgresUrl}: ${(error as Error).message}`;
  }
}

/** In one session with the server. */
async function administer(work: (server: Database) => Promise<unknown>): Promise<void> {
  const server = await openPostgres({ url: postgresUrl, poolSize: 1 });
  try {
    await work(server);
  } finally {
    await server.close();
  }
}

function urlOf(name: string): string {
  return Object.assign(new URL(postgresUrl), { pathname: `/${name}` }).href;
}

/** The name of a migrated database that others are copied from, made at the first run and after each change of the schema. */
async function migratedPostgres(server: Database): Promise<string> {
  const name = `parlor_test_template_${templateKey()}`;
  const exists = async (): Promise<boolean> => (await server.query("select 1 from pg_database where datname = $1", [name])).rows.length > 0;
  if (await exists()) return name;
  // Test files run at the same time; the lock goes with the session.
  await server.query("select pg_advisory_lock(hashtext('parlor_test_template'))");
  if (await exists()) return name;
  const old = await server.query<{ datname: string }>("select datname from pg_database where datname like 'parlor\\_test\\_template\\_%'");
  for (const { datname } of old.rows) await server.query(`drop database if exists ${datname}`);
  // Renamed when done: what is there under its name is whole.
  await server.query(`create database ${name}_new`);
  const database = await openPostgres({ url: urlOf(`${name}_new`) });
  await migrate(storeOver(database)).finally(() => database.close());
  await server.query(`alter database ${name}_new rename to ${name}`);
  return name;
}

/** The files of a migrated database, for the option `template`. */
export async function migratedPglite(): Promise<Uint8Array<ArrayBuffer>> {
  const path = join(tmpdir(), `parlor-test-${templateKey()}.tar`);
  if (existsSync(path)) return new Uint8Array(readFileSync(path));
  const database = await openPglite({ dataDir: undefined });
  await migrate(storeOver(database));
  // Nobody makes databases in it: without the two that they are made from it has half the files.
  await database.query("update pg_database set datistemplate = false");
  for (const unused of ["template0", "template1"]) await database.query(`drop database ${unused}`);
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
  hash.update(readFileSync(import.meta.filename));
  for (const file of readdirSync(folder).sort()) hash.update(readFileSync(new URL(file, folder)));
  return hash.digest("hex").slice(0, 16);
}
