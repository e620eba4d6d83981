import { type Kysely, sql } from "kysely";

interface Table {
  readonly name: string;
  readonly primaryKey: string;
  readonly indexes: readonly Index[];
}

interface Index {
  /** What follows the table's name in that of the index. */
  readonly suffix: string;
  readonly kind: "index" | "unique index";
  readonly on: string;
}

// The tables that grow, in the order in which a commit takes them.
const tables: readonly Table[] = [
  {
    name: "room_events",
    primaryKey: "room_id, seq",
    indexes: [{ suffix: "message", kind: "index", on: "(room_id, message_seq) where message_seq is not null" }],
  },
  {
    name: "messages",
    primaryKey: "room_id, seq",
    indexes: [
      {
        suffix: "client_message_id",
        kind: "unique index",
        on: "(room_id, author_id, client_message_id) where client_message_id is not null",
      },
      { suffix: "id", kind: "unique index", on: "(room_id, id)" },
    ],
  },
  { name: "message_reactions", primaryKey: "room_id, message_seq, emoji, user_id", indexes: [] },
];

/**
 * Each is vacuumed and analyzed by itself, so eight keep more workers busy than PostgreSQL starts. Each costs a commit that writes to it some
 * microseconds, and whoever makes the schema 40 ms.
 */
const PARTITIONS = 8;

export async function up(db: Kysely<unknown>): Promise<void> {
  await lock(db);
  for (const table of tables) await rebuild(db, table, PARTITIONS);
}

export async function down(db: Kysely<unknown>): Promise<void> {
  await lock(db);
  for (const table of tables) await rebuild(db, table, 0);
}

/** All of them first, so that a writer is not met in the midst of the copy. */
async function lock(db: Kysely<unknown>): Promise<void> {
  const names = tables.map(({ name }) => name).join(", ");
  await run(db, `lock table ${names} in access exclusive mode`);
}

/** Copies a table into one of so many partitions; 0: into a plain one. Indexes are made after the rows, which is faster. */
async function rebuild(db: Kysely<unknown>, table: Table, partitions: number): Promise<void> {
  const { name } = table;
  const parts = Array.from({ length: partitions }, (_, number) => `${name}_p${number}`);
  await run(db, `alter table ${name} rename to ${name}_before`, ...newTable(name, parts));
  const { numAffectedRows = 0n } = await sql.raw(`insert into ${name} select * from ${name}_before`).execute(db);
  await run(db, `drop table ${name}_before`, ...newIndexes(table, parts));
  // A table that is known to be empty would be planned for as empty.
  if (numAffectedRows > 0n) await run(db, `analyze ${name}`);
}

function newTable(name: string, parts: readonly string[]): string[] {
  const whole = `create table ${name} (like ${name}_before)`;
  if (parts.length === 0) return [whole];
  const bound = (number: number) => `for values with (modulus ${parts.length}, remainder ${number})`;
  return [
    `${whole} partition by hash (room_id)`,
    ...parts.map((part, number) => `create table ${part} partition of ${name} ${bound(number)}`),
  ];
}

/** An index of the whole table takes in those that its partitions have already: so these get names that tell whose they are. */
function newIndexes({ name, primaryKey, indexes }: Table, parts: readonly string[]): string[] {
  const ofEach = indexes.flatMap(({ suffix, kind, on }) =>
    [...parts, name].map((relation) => `create ${kind} ${relation}_${suffix} on ${relation} ${on}`),
  );
  return [`alter table ${name} add primary key (${primaryKey})`, ...ofEach];
}

async function run(db: Kysely<unknown>, ...statements: readonly string[]): Promise<void> {
  await sql.raw(statements.join(";\n")).execute(db);
}
