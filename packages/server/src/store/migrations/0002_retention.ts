import { type Kysely, sql } from "kysely";

const additions = [
  // Null: what the server is set to. A change of the default costs no rewrite of the table.
  "alter table rooms add column retention_seconds integer check (retention_seconds > 0), add column first_seq bigint not null default 1",
  // Who has joined of late: what a node asks for that may have missed a hint.
  "create index room_members_joined on room_members (joined_at)",
];

// What retention has removed stays removed.
const removals = ["drop index room_members_joined", "alter table rooms drop column first_seq, drop column retention_seconds"];

export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of additions) await sql.raw(statement).execute(db);
}

export async function down(db: Kysely<unknown>): Promise<void> {
  for (const statement of removals) await sql.raw(statement).execute(db);
}
