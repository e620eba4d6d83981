// Brings the schema to the state that the program needs.
import { type Kysely, sql } from "kysely";
import { migrations as allMigrations, type Migration } from "./migrations/index.ts";

export interface MigrationOutcome {
  /** Names, in the order in which it was done. */
  readonly applied: readonly string[];
  readonly reverted: readonly string[];
}

export interface MigrationStatus {
  readonly name: string;
  /** Null: pending. */
  readonly appliedAt: Date | null;
  /** False: it comes from a newer version of the program. */
  readonly known: boolean;
}

/** The schema is not one that this program can work with. */
export class SchemaError extends Error {
  override readonly name = "SchemaError";
}

interface AppliedRow {
  readonly name: string;
  readonly applied_at: Date;
}

/** Any number of nodes may start at once: one of them migrates, the others wait for it. The number is arbitrary. */
const ADVISORY_LOCK = 7_215_301_972;

/**
 * Applies what is pending, in one transaction. Costs two small reads when nothing is.
 * @throws SchemaError when the schema is newer than the program; DatabaseError.
 */
export function migrate<T>(store: Kysely<T>, migrations: readonly Migration[] = allMigrations): Promise<MigrationOutcome> {
  return change(store, migrations, (applied) => ({ up: migrations.filter(({ name }) => !applied.has(name)), down: [] }));
}

/**
 * Takes back the newest `count` of what is applied, in one transaction.
 * @throws SchemaError when the schema is newer than the program; DatabaseError.
 */
export function migrateDown<T>(
  store: Kysely<T>,
  count: number,
  migrations: readonly Migration[] = allMigrations,
): Promise<MigrationOutcome> {
  return change(store, migrations, (applied) => {
    const newestFirst = migrations.filter(({ name }) => applied.has(name)).reverse();
    return { up: [], down: newestFirst.slice(0, count) };
  });
}

/**
 * Takes back the newest `count` of what is applied and applies it again, in one transaction: what only they have a place for is lost.
 * @throws SchemaError when the schema is newer than the program; DatabaseError.
 */
export function migrateRedo<T>(
  store: Kysely<T>,
  count: number,
  migrations: readonly Migration[] = allMigrations,
): Promise<MigrationOutcome> {
  return change(store, migrations, (applied) => {
    const newest = migrations.filter(({ name }) => applied.has(name)).slice(-count);
    return { up: newest, down: newest.toReversed() };
  });
}

/** Every migration that the program or the database knows, oldest first. */
export async function migrationStatus<T>(store: Kysely<T>, migrations: readonly Migration[] = allMigrations): Promise<MigrationStatus[]> {
  const applied = new Map((await readApplied(store)).map((row) => [row.name, row.applied_at]));
  const known = migrations.map(({ name }) => ({ name, appliedAt: applied.get(name) ?? null, known: true }));
  const names = new Set(known.map(({ name }) => name));
  const unknown = [...applied].filter(([name]) => !names.has(name));
  return [...known, ...unknown.map(([name, appliedAt]) => ({ name, appliedAt, known: false }))];
}

interface Plan {
  readonly up: readonly Migration[];
  readonly down: readonly Migration[];
}

async function change<T>(
  store: Kysely<T>,
  migrations: readonly Migration[],
  plan: (applied: ReadonlySet<string>) => Plan,
): Promise<MigrationOutcome> {
  const current = async (from: Kysely<T>): Promise<Plan> => {
    const applied = new Set((await readApplied(from)).map(({ name }) => name));
    refuseNewer(applied, migrations);
    return plan(applied);
  };
  const { up, down } = await current(store);
  if (up.length === 0 && down.length === 0) return { applied: [], reverted: [] };
  return store.transaction().execute(async (tx) => {
    await lock(tx);
    return carryOut(tx, await current(tx));
  });
}

async function carryOut<T>(tx: Kysely<T>, { up, down }: Plan): Promise<MigrationOutcome> {
  for (const migration of down) await revert(tx, migration);
  for (const migration of up) await apply(tx, migration);
  return { applied: up.map(({ name }) => name), reverted: down.map(({ name }) => name) };
}

function refuseNewer(applied: ReadonlySet<string>, migrations: readonly Migration[]): void {
  const known = new Set(migrations.map(({ name }) => name));
  const unknown = [...applied].filter((name) => !known.has(name));
  if (unknown.length === 0) return;
  throw new SchemaError(
    `the database's schema is newer than this program, which does not know ${unknown.join(", ")}. ` +
      "Run the newer version, or let that one migrate down first",
  );
}

/** Two cheap statements, since every start runs them. */
async function readApplied<T>(store: Kysely<T>): Promise<readonly AppliedRow[]> {
  const exists = await sql<{ exists: boolean }>`select to_regclass('schema_migrations') is not null as "exists"`.execute(store);
  if (exists.rows[0]?.exists !== true) return [];
  return (await sql<AppliedRow>`select name, applied_at from schema_migrations order by name`.execute(store)).rows;
}

async function lock<T>(tx: Kysely<T>): Promise<void> {
  // The wait for another node, and a migration of a large table, take as long as they take.
  await sql`set local statement_timeout = 0`.execute(tx);
  await sql`set local lock_timeout = 0`.execute(tx);
  await sql`select pg_advisory_xact_lock(${sql.lit(ADVISORY_LOCK)})`.execute(tx);
  await sql`create table if not exists schema_migrations (name text primary key, applied_at timestamptz not null)`.execute(tx);
}

async function apply<T>(tx: Kysely<T>, migration: Migration): Promise<void> {
  await migration.up(tx as unknown as Kysely<unknown>);
  await sql`insert into schema_migrations (name, applied_at) values (${migration.name}, now())`.execute(tx);
}

async function revert<T>(tx: Kysely<T>, migration: Migration): Promise<void> {
  await migration.down(tx as unknown as Kysely<unknown>);
  await sql`delete from schema_migrations where name = ${migration.name}`.execute(tx);
}
