import assert from "node:assert/strict";
import { it } from "node:test";
import { sql } from "kysely";
import { newId } from "../../src/domain/ids.ts";
import { DatabaseError } from "../../src/ports/database.ts";
import { plannedForValues } from "../../src/store/kysely.ts";
import { engines, freshPostgres, onEveryDatabase } from "../support/databases.ts";

const user = (username: string) => ({
  id: newId(),
  username,
  display_name: "Somebody",
  role: 3,
  password_hash: "",
  created_at: new Date(),
  bio: "",
  avatar_url: "",
  deactivated_at: null,
  last_seen_at: null,
});

onEveryDatabase("the store", (current) => {
  const usernames = async () =>
    (await current().store.selectFrom("users").select("username").orderBy("username").execute()).map((row) => row.username);

  it("runs a transaction in one session, and commits it", async () => {
    await current()
      .store.transaction()
      .execute(async (tx) => {
        const session = async () => (await sql<{ id: string }>`select pg_current_xact_id()::text as id`.execute(tx)).rows[0]?.id;
        const first = await session();
        await tx.insertInto("users").values(user("kept")).execute();
        assert.equal(await session(), first);
      });
    assert.deepEqual(await usernames(), ["kept"]);
  });

  it("rolls back what throws, and passes the error on", async () => {
    const failure = new Error("no");
    const work = current()
      .store.transaction()
      .execute(async (tx) => {
        await tx.insertInto("users").values(user("lost")).execute();
        throw failure;
      });
    await assert.rejects(work, (error) => error === failure);
    assert.deepEqual(await usernames(), ["kept"]);
  });

  it("fails with the port's errors, inside and outside of transactions", async () => {
    const { store } = current();
    const isDuplicate = (error: unknown) =>
      error instanceof DatabaseError && error.kind === "unique" && error.constraint === "users_username";
    await assert.rejects(store.insertInto("users").values(user("kept")).execute(), isDuplicate);
    await assert.rejects(
      store.transaction().execute((tx) => tx.insertInto("users").values(user("kept")).execute()),
      isDuplicate,
    );
  });

  it("counts rows", async () => {
    const { numUpdatedRows } = await current().store.updateTable("users").set({ bio: "x" }).executeTakeFirstOrThrow();
    assert.equal(numUpdatedRows, 1n);
  });

  it("runs transactions with another isolation", async () => {
    const level = await current()
      .store.transaction()
      .setIsolationLevel("repeatable read")
      .execute(async (tx) => {
        return (await sql<{ level: string }>`select current_setting('transaction_isolation') as level`.execute(tx)).rows[0]?.level;
      });
    assert.equal(level, "repeatable read");
  });

  it("plans for values where it is asked to, and once for all elsewhere", async () => {
    const { store } = current();
    const mode = async (on: typeof store) =>
      (await sql<{ plan_cache_mode: string }>`show plan_cache_mode`.execute(on)).rows[0]?.plan_cache_mode;
    assert.equal(await plannedForValues(store, mode), "force_custom_plan");
    assert.equal(await mode(store), "force_generic_plan");
  });

  it("gives no session outside of transactions", async () => {
    const two = current()
      .store.connection()
      .execute(async (connection) => {
        await sql`select 1`.execute(connection);
        await sql`select 2`.execute(connection);
      });
    await assert.rejects(two, /use transaction\(\)/);
  });
});

const noPostgres = engines.some(({ name, missing }) => name === "postgres" && !missing) ? false : "it ends sessions of PostgreSQL";

it("what only reads is read again when its session was lost", { skip: noPostgres }, async () => {
  const { store, close } = await freshPostgres();
  let tries = 0;
  const read = plannedForValues(store, async (tx) => {
    if (++tries < 3) await sql`select pg_terminate_backend(pg_backend_pid())`.execute(tx);
    return (await sql<{ answer: number }>`select 42 as answer`.execute(tx)).rows[0]?.answer;
  });
  assert.equal(await read, 42);
  assert.equal(tries, 3);
  const lost = plannedForValues(store, (tx) => sql`select pg_terminate_backend(pg_backend_pid())`.execute(tx));
  await assert.rejects(lost, (error) => error instanceof DatabaseError && error.kind === "unavailable");
  await close();
});
