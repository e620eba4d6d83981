// What every engine of the Database port must do. An engine's own test file calls this, and adds what only it can do.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import type { Database } from "../../src/ports/database.ts";
import type { LossyDatabase } from "../support/lossy-database.ts";
import { assertFails } from "./assert-fails.ts";
import { collisionTests, type Sessions } from "./database-collisions.ts";
import { lossTests } from "./database-losses.ts";

export interface OpenedDatabase {
  readonly database: Database;
  close(): Promise<void>;
}

export interface EngineUnderTest {
  readonly name: string;
  readonly sessions: Sessions;
  open(): Promise<OpenedDatabase>;
  /** One that is migrated, whose connection can be lost. */
  openLossy(): Promise<LossyDatabase>;
}

export function databaseSuite({ name, sessions, open, openLossy }: EngineUnderTest): void {
  describe(`Database of ${name}`, () => {
    let opened: OpenedDatabase;
    let db: Database;
    before(async () => {
      opened = await open();
      db = opened.database;
      await db.query("create table parents (id integer primary key, name text unique)");
      await db.query(`create table things (
        id integer primary key, parent integer references parents, amount integer constraint positive check (amount > 0))`);
    });
    beforeEach(async () => {
      await db.query("truncate parents, things");
    });
    after(() => opened.close());

    const count = async (table: string) => (await db.query<{ n: number }>(`select count(*) as n from ${table}`)).rows[0]?.n;
    describe("values", () => valueTests(() => db));
    describe("results", () => resultTests(() => db));
    describe("transactions", () => transactionTests(() => db, count));
    describe("connections", () => connectionTests(() => db, count));
    describe("errors", () => errorTests(() => db, count));
    collisionTests(() => db, sessions);
    lossTests(openLossy);
    it("refuses calls after close, and closes twice", async () => {
      const other = await open();
      await other.close();
      await other.database.close();
      await assertFails(other.database.query("select 1"), "unavailable");
      await assertFails(
        other.database.transaction(async () => {}),
        "unavailable",
      );
      await assertFails(other.database.connect(), "unavailable");
    });
  });
}

function valueTests(db: () => Database): void {
  const roundTrip = async (type: string, value: unknown) => {
    const { rows } = await db().query<{ value: unknown }>(`select $1::${type} as value`, [value as never]);
    return rows[0]?.value;
  };
  const cases: readonly (readonly [type: string, value: unknown])[] = [
    ["text", 'naïve 日本 👋 "quoted" \\ back\'slash'],
    ["text", ""],
    ["text", null],
    ["integer", -2_147_483_648],
    ["bigint", Number.MAX_SAFE_INTEGER],
    ["smallint", 7],
    ["double precision", 1.5],
    ["boolean", true],
    ["boolean", false],
    ["uuid", "0199f0c4-7d5e-7a31-8f00-3b1e2f4a5b6c"],
    ["timestamptz", new Date("2026-02-03T04:05:06.789Z")],
    ["timestamptz", new Date("1969-12-31T23:59:59.999Z")],
    ["bytea", new Uint8Array([0, 1, 127, 128, 255])],
    ["bytea", new Uint8Array()],
    ["text[]", ["plain", "", 'with "quotes"', "back\\slash", "comma, {brace}", "NULL", null, " space "]],
    ["text[]", []],
    ["bigint[]", [1, Number.MAX_SAFE_INTEGER, null]],
    ["smallint[]", [1, 2]],
    ["boolean[]", [true, false]],
    ["uuid[]", ["0199f0c4-7d5e-7a31-8f00-3b1e2f4a5b6c"]],
    [
      "integer[]",
      [
        [1, 2],
        [3, 4],
      ],
    ],
  ];
  for (const [type, value] of cases) {
    it(`gives back ${type} ${JSON.stringify(value)}`, async () => assert.deepEqual(await roundTrip(type, value), value));
  }

  it("takes arrays of bytes and dates", async () => {
    const { rows } = await db().query<{ b: Uint8Array; t: Date }>("select b, t from unnest($1::bytea[], $2::timestamptz[]) as x (b, t)", [
      [new Uint8Array([1, 255]), new Uint8Array()],
      [new Date(0), new Date("2026-01-01T00:00:00.001Z")],
    ]);
    assert.deepEqual(rows, [
      { b: new Uint8Array([1, 255]), t: new Date(0) },
      { b: new Uint8Array(), t: new Date("2026-01-01T00:00:00.001Z") },
    ]);
  });

  it("gives jsonb as what it holds", async () => {
    const value = { a: [1, "two", null, { three: true }] };
    assert.deepEqual(await roundTrip("jsonb", JSON.stringify(value)), value);
  });

  it("takes bigints", async () => assert.equal(await roundTrip("bigint", 12n), 12));

  it("gives counts as numbers", async () => {
    const { rows } = await db().query<{ n: number }>("select count(*) as n from parents");
    assert.strictEqual(rows[0]?.n, 0);
  });

  it("gives bytes that share no memory", async () => {
    const { rows } = await db().query<{ value: Uint8Array }>("select '\\x0102'::bytea as value from generate_series(1, 2)");
    rows[0]?.value.fill(9);
    assert.deepEqual(rows[1]?.value, new Uint8Array([1, 2]));
    assert.equal(rows[1]?.value.buffer.byteLength, 2);
  });

  it("keeps times in UTC", async () => {
    const { rows } = await db().query("select date_trunc('day', $1::timestamptz) as day", [new Date("2026-06-01T23:30:00Z")]);
    assert.deepEqual(rows, [{ day: new Date("2026-06-01T00:00:00Z") }]);
  });
}

function resultTests(db: () => Database): void {
  it("counts the rows that were changed, not those that were read", async () => {
    assert.equal((await db().query("insert into parents select n, n::text from generate_series(1, 5) n")).affected, 5);
    assert.equal((await db().query("update parents set name = name || '!' where id > 3")).affected, 2);
    assert.equal((await db().query("select * from parents")).affected, 0);
    assert.equal((await db().query("delete from parents")).affected, 5);
  });

  it("answers many statements at once, each with its own", async () => {
    const answers = await Promise.all(Array.from({ length: 200 }, (_, n) => db().query<{ n: number }>("select $1::integer as n", [n])));
    assert.deepEqual(
      answers.map(({ rows }) => rows[0]?.n),
      Array.from({ length: 200 }, (_, n) => n),
    );
  });

  it("takes and gives more than a megabyte", async () => {
    const text = "parlor ".repeat(300_000);
    const { rows } = await db().query<{ text: string }>("select $1::text as text", [text]);
    assert.equal(rows[0]?.text, text);
  });

  it("goes on when a statement that was used before meets a changed table", async () => {
    await db().query("create table changing (a integer)");
    const read = () => db().query("select * from changing where $1::integer is not null", [1]);
    for (let use = 0; use < 3; use++) await read();
    await db().query("alter table changing add column b integer");
    await assertFails(untilRefused(read), "retry");
    assert.deepEqual((await read()).rows, []);
    await db().query("drop table changing");
  });
}

/** Several sessions may have to be asked before one of them has prepared the statement. */
async function untilRefused(call: () => Promise<unknown>): Promise<void> {
  for (let round = 0; round < 100; round++) await call();
}

type Count = (table: string) => Promise<number | undefined>;

function transactionTests(db: () => Database, count: Count): void {
  it("commits what it returns from", async () => {
    const result = await db().transaction(async (tx) => {
      await tx.query("insert into parents values (1, 'a')");
      return "done";
    });
    assert.equal(result, "done");
    assert.equal(await count("parents"), 1);
  });

  it("rolls back what it throws from, and throws the same", async () => {
    const failure = new Error("changed my mind");
    const work = db().transaction(async (tx) => {
      await tx.query("insert into parents values (1, 'a')");
      throw failure;
    });
    await assert.rejects(work, (error) => error === failure);
    assert.equal(await count("parents"), 0);
  });

  it("never pretends to have committed after a statement failed", async () => {
    const work = db().transaction(async (tx) => {
      await tx.query("insert into parents values (1, 'a')");
      await assertFails(tx.query("insert into parents values (1, 'a')"), "unique");
    });
    await assertFails(work, "fault", /rolled back/);
    assert.equal(await count("parents"), 0);
  });

  it("reports a constraint that is checked at COMMIT", async () => {
    await db().query("create table late (id integer unique deferrable initially deferred)");
    await assertFails(
      db().transaction((tx) => tx.query("insert into late values (1), (1)")),
      "unique",
    );
    assert.equal(await count("late"), 0);
    await db().query("drop table late");
  });

  it("hides what is not committed", async () => {
    const outside = await db().transaction(async (tx) => {
      await tx.query("insert into parents values (1, 'a')");
      // Not awaited inside: an engine with one session answers it after the transaction.
      return { seen: tx.query("select 1").then(() => count("parents")) };
    });
    assert.ok([0, 1].includes((await outside.seen) ?? -1));
    assert.equal(await count("parents"), 1);
  });

  it("runs many at the same time", async () => {
    await db().query("insert into parents values (1, '0')");
    const add = () =>
      db().transaction(async (tx) => {
        const { rows } = await tx.query<{ name: string }>("select name from parents where id = 1 for update");
        await tx.query("update parents set name = $1 where id = 1", [String(Number(rows[0]?.name) + 1)]);
      });
    await Promise.all(Array.from({ length: 40 }, add));
    assert.deepEqual((await db().query("select name from parents")).rows, [{ name: "40" }]);
  });

  it("lets go of its session when the work throws before its first statement", async () => {
    for (let round = 0; round < 30; round++) {
      await assert.rejects(
        db().transaction(async () => Promise.reject(new Error("no"))),
        /no/,
      );
    }
    assert.equal(await count("parents"), 0);
  });
}

function connectionTests(db: () => Database, count: Count): void {
  it("runs statements in the order of the calls", async () => {
    const connection = await db().connect();
    const ids = [1, 2, 3, 4, 5];
    await Promise.all([
      connection.query("begin"),
      ...ids.map((id) => connection.query("insert into parents values ($1)", [id])),
      connection.query("commit"),
    ]);
    await connection.release();
    assert.equal(await count("parents"), 5);
  });

  it("rolls back on release, even what is still under way", async () => {
    const connection = await db().connect();
    await connection.query("begin");
    await connection.query("insert into parents values (1)");
    const last = connection.query("insert into parents values (2)");
    await connection.release();
    await last;
    assert.equal(await count("parents"), 0);
  });

  it("refuses statements after the release, and releases twice", async () => {
    const connection = await db().connect();
    await connection.release();
    await connection.release();
    await assertFails(connection.query("select 1"), "fault", /released/);
  });

  it("leaves no failed transaction to whoever comes next", async () => {
    const connection = await db().connect();
    await connection.query("begin");
    await assertFails(connection.query("selec"), "fault");
    await connection.release();
    await Promise.all(Array.from({ length: 20 }, () => db().query("select 1")));
  });

  it("finishes what it does before it closes", async () => {
    const connection = await db().connect();
    await connection.query("begin");
    const statements = Promise.all([connection.query("insert into parents values (1)"), connection.query("commit")]);
    await statements;
    await connection.release();
    assert.equal(await count("parents"), 1);
  });
}

function errorTests(db: () => Database, count: Count): void {
  it("tells which unique constraint refused", async () => {
    await db().query("insert into parents values (1, 'a')");
    const error = await assertFails(db().query("insert into parents values (2, 'a')"), "unique");
    assert.equal(error.constraint, "parents_name_key");
  });

  it("tells which unique constraint of a partitioned table refused", async () => {
    await db().query("create table pieces (id integer primary key) partition by hash (id)");
    await db().query("create table pieces_p0 partition of pieces for values with (modulus 1, remainder 0)");
    await db().query("insert into pieces values (1)");
    const error = await assertFails(db().query("insert into pieces values (1)"), "unique");
    assert.equal(error.constraint, "pieces_pkey");
    await db().query("drop table pieces");
  });

  it("tells which foreign key refused", async () => {
    const error = await assertFails(db().query("insert into things values (1, 99, 1)"), "foreign_key");
    assert.equal(error.constraint, "things_parent_fkey");
  });

  it("tells which check refused", async () => {
    const error = await assertFails(db().query("insert into things values (1, null, 0)"), "check");
    assert.equal(error.constraint, "positive");
  });

  it("reports a wrong statement, and goes on", async () => {
    await assertFails(db().query("selec 1"), "fault", /syntax error/);
    await assertFails(db().query("select nothing from nowhere where $1", [true]), "fault", /nowhere/);
    await assertFails(db().query("select $1::integer", ["many"]), "fault", /many/);
    assert.equal(await count("parents"), 0);
  });

  it("refuses U+0000 in text with a clear error", async () => {
    await assertFails(db().query("select $1::text", ["a\0b"]), "fault", /U\+0000/);
    await assertFails(db().query("select $1::text[]", [["a\0b"]]), "fault", /U\+0000/);
  });

  it("refuses dates that are none", async () => {
    await assertFails(db().query("select $1::timestamptz", [new Date(Number.NaN)]), "fault", /valid date/);
  });

  it("answers a failed statement among others that were sent with it", async () => {
    const calls = [1, 2, 2, 3].map((id) => db().query("insert into parents values ($1)", [id]));
    const outcomes = (await Promise.allSettled(calls)).map(({ status }) => status);
    assert.equal(outcomes.filter((status) => status === "rejected").length, 1);
    assert.equal(await count("parents"), 3);
  });
}
