// What every engine of the Database port must do when transactions are in each other's way.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import type { Connection, Database } from "../../src/ports/database.ts";
import { assertFails } from "./assert-fails.ts";

/**
 * An engine with one session carries transactions out one after the other, so that they are never in each other's way; one with
 * many does so at the same time.
 */
export type Sessions = "one" | "many";

export function collisionTests(db: () => Database, sessions: Sessions): void {
  describe("collisions", () => {
    before(() => db().query("create table counters (id integer primary key, n integer not null)"));
    beforeEach(() =>
      db()
        .query("truncate counters")
        .then(() => db().query("insert into counters values (1, 0), (2, 0)")),
    );
    after(() => db().query("drop table counters"));

    for (const [state, meaning] of [
      ["40001", "a serialization failure"],
      ["40P01", "a deadlock"],
      ["55P03", "a lock that is not had in time"],
    ] as const) {
      it(`reports ${meaning} as retry, keeps nothing of the transaction, and carries it out the next time`, async () => {
        const attempt = (fails: boolean) =>
          db().transaction(async (tx) => {
            await add(tx, 1);
            if (fails) await tx.query(`do $$ begin raise sqlstate '${state}'; end $$`);
          });
        await assertFails(attempt(true), "retry");
        assert.deepEqual(await counts(db()), [0, 0]);
        await attempt(false);
        assert.deepEqual(await counts(db()), [1, 0]);
      });
    }
    if (sessions === "many") meetingTests(db);
    else turnTests(db);
  });
}

/** Of engines with many sessions. */
function meetingTests(db: () => Database): void {
  it("reports a deadlock to one, and lets the other commit", async () => {
    const [a, b] = [await begun(db()), await begun(db())];
    await add(a, 1);
    await add(b, 2);
    const outcomes = await Promise.allSettled([add(a, 2).then(() => a.query("commit")), add(b, 1).then(() => b.query("commit"))]);
    const [failed, ...others] = outcomes.filter((outcome) => outcome.status === "rejected");
    assert.equal(others.length, 0);
    assert.equal(failed?.reason.kind, "retry");
    await Promise.all([a.release(), b.release()]);
    assert.deepEqual(await counts(db()), [1, 1]);
  });

  it("reports a lock that is not had in time", async () => {
    const holder = await begun(db());
    await add(holder, 1);
    const work = db().transaction(async (tx) => {
      await tx.query("set local lock_timeout = 50");
      await add(tx, 1);
    });
    await assertFails(work, "retry");
    await holder.release();
  });

  it("reports a serialization failure", async () => {
    const connection = await db().connect();
    await connection.query("begin isolation level repeatable read");
    await connection.query("select * from counters");
    await add(db(), 1);
    await assertFails(add(connection, 1), "retry");
    await connection.release();
  });

  it("hides from other sessions what is not committed", async () => {
    const connection = await begun(db());
    await add(connection, 1);
    assert.deepEqual(await counts(db()), [0, 0]);
    await connection.release();
  });
}

/** Of engines with one session: none of the above can come about. */
function turnTests(db: () => Database): void {
  it("has one session, for which others wait: no two transactions are ever in each other's way", async () => {
    const first = await begun(db());
    let hadBySecond = false;
    const second = begun(db()).then((connection) => {
      hadBySecond = true;
      return connection;
    });
    await add(first, 1);
    await add(first, 2);
    assert.equal(hadBySecond, false);
    await first.query("commit");
    await first.release();
    const later = await second;
    await add(later, 2);
    await add(later, 1);
    await later.query("commit");
    await later.release();
    assert.deepEqual(await counts(db()), [2, 2]);
  });
}

async function begun(db: Database): Promise<Connection> {
  const connection = await db.connect();
  await connection.query("begin");
  return connection;
}

function add(session: Pick<Connection, "query">, id: number): Promise<unknown> {
  return session.query("update counters set n = n + 1 where id = $1", [id]);
}

async function counts(db: Database): Promise<number[]> {
  return (await db.query<{ n: number }>("select n from counters order by id")).rows.map(({ n }) => n);
}
