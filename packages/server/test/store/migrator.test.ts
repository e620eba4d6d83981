import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { sql } from "kysely";
import { openPostgres } from "../../src/engines/database-postgres.ts";
import { storeOver } from "../../src/store/kysely.ts";
import { type Migration, migrations } from "../../src/store/migrations/index.ts";
import { migrate, migrateDown, migrateRedo, migrationStatus, SchemaError } from "../../src/store/migrator.ts";
import { dumpSchema } from "../../src/store/schema-dump.ts";
import { engines, freshPglite, freshPostgres, onEveryDatabase } from "../support/databases.ts";

const names = migrations.map(({ name }) => name);

function adding(name: string, table: string): Migration {
  return {
    name,
    up: async (db) => void (await sql`create table ${sql.table(table)} (id integer primary key)`.execute(db)),
    down: async (db) => void (await sql`drop table ${sql.table(table)}`.execute(db)),
  };
}

onEveryDatabase("migrations", (current) => {
  it("come to the same schema up, down to nothing, and up again", async () => {
    const { database, store } = current();
    const before = await dumpSchema(database);
    assert.match(before, /create table messages/);
    assert.deepEqual((await migrateDown(store, names.length)).reverted, names.toReversed());
    assert.equal(await dumpSchema(database), "");
    assert.deepEqual((await migrate(store)).applied, names);
    assert.equal(await dumpSchema(database), before);
  });

  it("go down and up one by one", async () => {
    const { database, store } = current();
    for (let count = names.length; count > 0; count--) {
      const before = await dumpSchema(database);
      assert.deepEqual((await migrateDown(store, 1)).reverted, [names[count - 1]]);
      assert.deepEqual((await migrate(store, migrations.slice(0, count))).applied, [names[count - 1]]);
      assert.equal(await dumpSchema(database), before);
      await migrateDown(store, 1);
    }
    await migrate(store);
  });

  it("are taken back and applied again at once", async () => {
    const { database, store } = current();
    const before = await dumpSchema(database);
    const newest = names.slice(-2);
    assert.deepEqual(await migrateRedo(store, 2), { applied: newest, reverted: newest.toReversed() });
    assert.equal(await dumpSchema(database), before);
  });

  it("do nothing when there is nothing to do", async () => {
    assert.deepEqual(await migrate(current().store), { applied: [], reverted: [] });
  });

  it("tell what is applied and what is pending", async () => {
    const { store } = current();
    const status = await migrationStatus(store, [...migrations, adding("9999_later", "later")]);
    assert.deepEqual(
      status.map(({ name }) => name),
      [...names, "9999_later"],
    );
    assert.ok(status[0]?.appliedAt instanceof Date);
    assert.equal(status.at(-1)?.appliedAt, null);
  });

  it("refuse a schema that is newer than the program", async () => {
    const { store } = current();
    const newer = [...migrations, adding("9999_newer", "newer")];
    await migrate(store, newer);
    const refusal = (error: unknown) => error instanceof SchemaError && /newer than this program.*9999_newer/.test(error.message);
    await assert.rejects(migrate(store), refusal);
    await assert.rejects(migrateDown(store, 1), refusal);
    assert.equal((await migrationStatus(store)).at(-1)?.known, false);
    await migrateDown(store, 1, newer);
  });

  it("keep nothing of a run that failed", async () => {
    const { database, store } = current();
    const before = await dumpSchema(database);
    const failing = { ...adding("9999_failing", "failing"), up: async () => Promise.reject(new Error("no")) };
    await assert.rejects(migrate(store, [...migrations, adding("9998_fine", "fine"), failing]), /no/);
    assert.equal(await dumpSchema(database), before);
    assert.deepEqual(await migrate(store), { applied: [], reverted: [] });
  });
});

const postgres = engines.find(({ name }) => name === "postgres");

describe("migrations on PostgreSQL", { skip: postgres === undefined ? "not chosen" : (postgres.missing ?? false) }, () => {
  it("are run by one of many nodes that start at once", async () => {
    const fresh = await freshPostgres();
    await migrateDown(fresh.store, names.length);
    const nodes = await Promise.all(Array.from({ length: 6 }, () => openPostgres({ url: fresh.url, poolSize: 2 })));
    const outcomes = await Promise.all(nodes.map((database) => migrate(storeOver(database))));
    assert.deepEqual(
      outcomes.flatMap(({ applied }) => applied),
      names,
    );
    await Promise.all(nodes.map((database) => database.close()));
    await fresh.close();
  });

  it("come to the same schema as on PGlite", async () => {
    const [one, other] = [await freshPostgres(), await freshPglite()];
    assert.equal(await dumpSchema(one.database), await dumpSchema(other.database));
    await Promise.all([one.close(), other.close()]);
  });
});
