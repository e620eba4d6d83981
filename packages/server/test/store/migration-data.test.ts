// Migrations on a database that has been lived in: going down loses what only the newer ones have a place for, and nothing else.
import assert from "node:assert/strict";
import { it } from "node:test";
import { Room_Visibility } from "@parlor/contract";
import { loadConfig, startServer } from "../../src/index.ts";
import type { Database } from "../../src/ports/database.ts";
import { migrations } from "../../src/store/migrations/index.ts";
import { migrate, migrateDown } from "../../src/store/migrator.ts";
import { dumpSchema } from "../../src/store/schema-dump.ts";
import { onEveryDatabase } from "../support/databases.ts";
import { driversOf } from "../support/drivers/index.ts";
import { Life } from "../support/life.ts";
import { newName } from "../support/party.ts";
import { Random, seedOfRun } from "../support/random.ts";
import { testEnvironment } from "../support/running.ts";

const seed = seedOfRun();

/** The columns of every table. */
type Shape = ReadonlyMap<string, readonly string[]>;

onEveryDatabase("migrations of a database in use", (current) => {
  it(`keep what older versions know, down and up again (seed ${seed})`, async () => {
    const { database, store } = current();
    await livedIn(database, new Random(seed));
    const whole = await dumpSchema(database);
    for (let count = 1; count < migrations.length; count++) {
      const full = await shapeOf(database);
      const contents = await contentsOf(database, full);
      await migrateDown(store, count);
      const older = await shapeOf(database);
      assert.deepEqual(await contentsOf(database, older), restricted(contents, older), "going down has lost what it had a place for");
      await migrate(store);
      assert.equal(await dumpSchema(database), whole);
      assert.deepEqual(restricted(await contentsOf(database, full), older), restricted(contents, older), "going up has changed something");
    }
  });
});

async function livedIn(database: Database, random: Random): Promise<void> {
  const kept: Database = {
    query: (sql, params) => database.query(sql, params),
    transaction: (work) => database.transaction(work),
    connect: () => database.connect(),
    close: async () => {},
  };
  const server = await startServer(loadConfig(testEnvironment), { database: kept });
  const drivers = driversOf(server);
  const people = await Promise.all(drivers.map((driver) => driver.signUp(newName())));
  const life = new Life(people);
  await life.makeRoom(Room_Visibility.PUBLIC);
  await life.makeRoom(Room_Visibility.PRIVATE);
  await life.live(random, 200);
  for (const person of people) person.close();
  await server.close();
}

async function shapeOf(database: Database): Promise<Shape> {
  const { rows } = await database.query<{ table: string; columns: string[] }>(
    `select table_name as table, array_agg(column_name::text order by column_name) as columns from information_schema.columns
      where table_schema = current_schema() and table_name <> 'schema_migrations' group by table_name order by table_name`,
  );
  return new Map(rows.map(({ table, columns }) => [table, columns]));
}

/** Every row of every table. */
async function contentsOf(database: Database, shape: Shape): Promise<Map<string, Record<string, unknown>[]>> {
  const contents = new Map<string, Record<string, unknown>[]>();
  for (const [table, columns] of shape) {
    const list = columns.map((column) => `"${column}"`).join(", ");
    const { rows } = await database.query<Record<string, unknown>>(`select ${list} from ${table}`);
    contents.set(table, sorted(rows));
  }
  return contents;
}

function restricted(contents: ReadonlyMap<string, Record<string, unknown>[]>, shape: Shape): Map<string, Record<string, unknown>[]> {
  const only = (row: Record<string, unknown>, columns: readonly string[]) =>
    Object.fromEntries(columns.map((column) => [column, row[column]]));
  return new Map([...shape].map(([table, columns]) => [table, sorted((contents.get(table) ?? []).map((row) => only(row, columns)))]));
}

function sorted(rows: Record<string, unknown>[]): Record<string, unknown>[] {
  return rows
    .map((row) => [JSON.stringify(row), row] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, row]) => row);
}
