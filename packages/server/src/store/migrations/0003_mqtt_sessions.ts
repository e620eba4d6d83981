import { type Kysely, sql } from "kysely";

const statements = [
  `create table mqtt_sessions (
    user_id uuid not null references users on delete cascade,
    client_id text not null,
    epoch bigint not null,
    subscriptions jsonb not null,
    expiry_seconds bigint not null,
    settled_at timestamptz not null,
    seen_at timestamptz not null,
    left_at timestamptz,
    primary key (user_id, client_id)
  )`,

  // Cursors move often; room on the page lets them move without touching the index.
  `create table mqtt_cursors (
    user_id uuid not null,
    client_id text not null,
    room_id uuid not null,
    acked_seq bigint not null,
    sent_seq bigint not null,
    primary key (user_id, client_id, room_id),
    foreign key (user_id, client_id) references mqtt_sessions on delete cascade
  ) with (fillfactor = 70)`,
];

export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

export async function down(db: Kysely<unknown>): Promise<void> {
  await sql.raw("drop table mqtt_cursors, mqtt_sessions").execute(db);
}
