import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { openPostgres } from "../../src/engines/database-postgres.ts";
import type { Connection, Database } from "../../src/ports/database.ts";
import { durabilityWarnings } from "../../src/store/durability.ts";
import { assertFails } from "../suites/assert-fails.ts";
import { databaseSuite } from "../suites/database.ts";
import { engines, freshPostgres, type TestPostgres } from "../support/databases.ts";
import { lossyPostgres } from "../support/lossy-postgres.ts";

const engine = engines.find(({ name }) => name === "postgres");
const skip = engine === undefined ? "PARLOR_TEST_DATABASE names another engine" : (engine.missing ?? false);

describe("PostgreSQL", { skip }, () => {
  databaseSuite({ name: "PostgreSQL", sessions: "many", open: freshPostgres, openLossy: lossyPostgres });

  let test: TestPostgres;
  let db: Database;
  before(async () => {
    test = await freshPostgres();
    db = test.database;
    await db.query("create table counters (id integer primary key, n integer not null)");
    await db.query("insert into counters values (1, 0), (2, 0)");
  });
  after(() => test.close());

  const processOf = async (connection: Connection) =>
    (await connection.query<{ pid: number }>("select pg_backend_pid() as pid")).rows[0]?.pid ?? 0;
  const kill = (pid: number) => db.query("select pg_terminate_backend($1)", [pid]);
  const begun = async () => {
    const connection = await db.connect();
    await connection.query("begin");
    return connection;
  };

  it("ends a statement that takes too long", async () => {
    const impatient = await openPostgres({ url: test.url, statementTimeoutMs: 50 });
    await assertFails(impatient.query("select pg_sleep(10)"), "unavailable", /timeout/);
    await impatient.query("select 1");
    await impatient.close();
  });

  it("does not wait for a session for ever", async () => {
    const small = await openPostgres({ url: test.url, poolSize: 1, connectTimeoutMs: 500 });
    const held = await small.connect();
    await assertFails(small.query("select 1"), "unavailable");
    await held.release();
    await small.query("select 1");
    await small.close();
  });

  it("reports a connection lost during a statement as unavailable, and heals", async () => {
    const connection = await db.connect();
    const pid = await processOf(connection);
    const failing = assertFails(connection.query("select pg_sleep(60)"), "unavailable");
    await untilActive(pid);
    await kill(pid);
    await failing;
    await connection.release();
    await db.query("select 1");
  });

  it("reports a connection lost inside a transaction as unavailable, and heals", async () => {
    const work = db.transaction(async (tx) => {
      await tx.query("insert into counters values (4, 0)");
      await kill(await processOf(tx));
      await tx.query("insert into counters values (5, 0)");
    });
    await assertFails(work, "unavailable");
    assert.equal((await db.query("select * from counters where id in (4, 5)")).rows.length, 0);
  });

  it("reports a connection lost during COMMIT as of unknown outcome", async () => {
    // A deferred trigger keeps COMMIT busy.
    await db.query("create table slow (n integer)");
    await db.query("create function linger() returns trigger language plpgsql as 'begin perform pg_sleep(60); return null; end'");
    await db.query(
      "create constraint trigger linger after insert on slow deferrable initially deferred for each row execute function linger()",
    );
    const connection = await begun();
    const pid = await processOf(connection);
    await connection.query("insert into slow values (1)");
    const failing = assertFails(connection.query("commit"), "unknown_outcome");
    await untilActive(pid);
    await kill(pid);
    await failing;
    await connection.release();
    assert.equal((await db.query("select * from slow")).rows.length, 0);
  });

  it("asks again when the connection was lost during a statement that only reads", async () => {
    await using lossy = await lossyPostgres();
    for (const cut of ["before", "after"] as const) {
      const lost = lossy.cutAt(/^select 7/, cut);
      assert.deepEqual((await lossy.database.query("select 7 as n")).rows, [{ n: 7 }]);
      await lost;
    }
  });

  it("survives the loss of all idle sessions", async () => {
    await Promise.all(Array.from({ length: 5 }, () => db.query("select pg_sleep(0.01)")));
    const killer = await openPostgres({ url: test.url, poolSize: 1 });
    await killer.query(
      "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()",
    );
    await killer.close();
    await Promise.all(Array.from({ length: 10 }, () => db.query("select 1")));
  });

  it("says at once that there is no server, no such database", async () => {
    await assertFails(openPostgres({ host: "127.0.0.1", port: 1, user: "nobody" }), "unavailable", /ECONNREFUSED/);
    const nowhere = Object.assign(new URL(test.url), { pathname: "/parlor_test_none" }).href;
    await assertFails(openPostgres({ url: nowhere }), "fault", /does not exist/);
  });

  it("warns of settings that lose what was acknowledged", async () => {
    const careless = await openPostgres({ url: `${test.url}?options=-c%20synchronous_commit%3Doff` });
    assert.match((await durabilityWarnings(careless)).join(), /synchronous_commit = off/);
    await careless.close();
  });

  /** Until the server runs a statement for that process. */
  async function untilActive(pid: number): Promise<void> {
    const query = "select from pg_stat_activity where pid = $1 and wait_event = 'PgSleep'";
    while ((await db.query(query, [pid])).rows.length === 0);
  }
});
