// What every engine of the Database port must do when it loses its connection: which error, and what is stored afterwards.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { CommitInDoubt, didCommit } from "../../src/log/doubt.ts";
import { type Connection, type Database, DatabaseError } from "../../src/ports/database.ts";
import { beginTransaction } from "../../src/store/log-statements.ts";
import { cuts, type LossyDatabase } from "../support/lossy-database.ts";
import { assertFails } from "./assert-fails.ts";

export function lossTests(open: () => Promise<LossyDatabase>): void {
  describe("loss of the connection", () => {
    let lossy: LossyDatabase;
    let db: Database;
    before(async () => {
      lossy = await open();
      db = lossy.database;
      await db.query("create table kept (n integer primary key)");
    });
    beforeEach(async () => {
      await db.query("truncate kept");
    });
    after(() => lossy[Symbol.asyncDispose]());

    const stored = async () => (await db.query<{ n: number }>("select n from kept order by n")).rows.map(({ n }) => n);
    const insert = (session: Pick<Connection, "query">, n: number) => session.query("insert into kept values ($1)", [n]);

    it("before COMMIT is sent: unavailable, and nothing is stored", async () => {
      const lost = lossy.cutAt(/^select 'lost here'/, "before");
      const work = db.transaction(async (tx) => {
        await insert(tx, 1);
        await tx.query("select 'lost here'");
      });
      await assertFails(work, "unavailable");
      await lost;
      assert.deepEqual(await stored(), []);
    });

    for (const cut of cuts) {
      it(`${cut} COMMIT is carried out: of unknown outcome, and all is stored or nothing, as the log writer finds out`, async () => {
        const lost = lossy.cutAt(/^commit$/, cut);
        let transactionId = "";
        const outcome = await committing(db, async (session) => {
          transactionId = await beginTransaction(session);
          await Promise.all([insert(session, 1), insert(session, 2)]);
        });
        await lost;
        const took = await settled(db, transactionId);
        assert.deepEqual(await stored(), took ? [1, 2] : []);
        if (cut !== "during") assert.deepEqual([outcome, took], ["unknown_outcome", cut === "after"]);
        else assert.ok(outcome === "unknown_outcome" || (outcome === "committed" && took), outcome);
      });
    }

    it("after COMMIT is answered: all is stored, and everybody who waits is answered with what is true", async () => {
      await db.transaction((tx) => insert(tx, 0));
      const work = db.transaction(async (tx) => {
        await insert(tx, 1);
        lossy.cut();
        await insert(tx, 2);
      });
      const numbers = Array.from({ length: 30 }, (_, i) => 10 + i);
      const calls = Promise.allSettled(numbers.map((n) => (n % 3 === 0 ? db.transaction((tx) => insert(tx, n)) : insert(db, n))));
      await assertFails(work, "unavailable");
      const outcomes = (await calls).map(outcomeOf);
      const found = await stored();
      assert.ok(found.includes(0) && !found.includes(1) && !found.includes(2));
      for (const [i, outcome] of outcomes.entries()) {
        const n = numbers[i] as number;
        if (outcome === "unknown_outcome") continue;
        assert.equal(found.includes(n), outcome === "done", `${n} is ${outcome}`);
        assert.ok(outcome === "done" || outcome === "unavailable", `${n} is ${outcome}`);
      }
    });
  });
}

/** Begins and commits by hand, as the log writer does; answers with how it ended. */
async function committing(db: Database, work: (session: Connection) => Promise<void>): Promise<string> {
  const session = await db.connect();
  try {
    await work(session);
    await session.query("commit");
    return "committed";
  } catch (error) {
    return error instanceof DatabaseError ? error.kind : String(error);
  } finally {
    await session.release();
  }
}

/** Whether the transaction has taken effect, once the engine knows. */
async function settled(db: Database, transactionId: string): Promise<boolean> {
  const doubt = new CommitInDoubt(transactionId, [], new DatabaseError("unknown_outcome", "lost"));
  for (;;) {
    const took = await didCommit(db, doubt);
    if (took !== undefined) return took;
  }
}

function outcomeOf(outcome: PromiseSettledResult<unknown>): string {
  if (outcome.status === "fulfilled") return "done";
  return outcome.reason instanceof DatabaseError ? outcome.reason.kind : String(outcome.reason);
}
