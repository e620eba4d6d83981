import { type Kysely, sql } from "kysely";

// The log and what is keyed by room have no foreign key to rooms or users: every writer holds the room's row lock, and a key
// check per row would cost as much as the row.
const statements = [
  `create table users (
    id uuid primary key,
    username text not null,
    display_name text not null,
    bio text not null default '',
    avatar_url text not null default '',
    role smallint not null,
    password_hash text not null,
    created_at timestamptz not null,
    deactivated_at timestamptz,
    last_seen_at timestamptz,
    search tsvector generated always as (to_tsvector('simple', display_name)) stored
  )`,
  "create unique index users_username on users (username text_pattern_ops)",
  "create index users_search on users using gin (search)",

  `create table sessions (
    id uuid primary key,
    user_id uuid not null references users on delete cascade,
    kind text not null check (kind in ('session', 'api_token')),
    name text not null default '',
    address text not null default '',
    scopes smallint[] not null default '{}',
    secret_hash bytea not null,
    generation integer not null default 0,
    created_at timestamptz not null,
    refreshed_at timestamptz not null,
    expires_at timestamptz,
    revoked_at timestamptz
  )`,
  "create index sessions_user on sessions (user_id, kind, id) where revoked_at is null",

  `create table signing_keys (
    id text primary key,
    jwk jsonb not null,
    created_at timestamptz not null
  )`,

  `create table rooms (
    id uuid primary key,
    visibility smallint not null,
    name text not null,
    topic text not null default '',
    created_by uuid not null,
    created_at timestamptz not null,
    archived_at timestamptz,
    deleted_at timestamptz,
    last_seq bigint not null,
    policy_seq bigint not null,
    member_count integer not null,
    post_role smallint not null,
    slow_mode_seconds integer not null default 0,
    direct_key text,
    search tsvector generated always as (to_tsvector('simple', name)) stored
  )`,
  "create unique index rooms_direct_key on rooms (direct_key) where direct_key is not null",
  `create index rooms_directory on rooms (lower(name) collate "C", id)
    where visibility = 1 and archived_at is null and deleted_at is null`,
  "create index rooms_search on rooms using gin (search)",
  "create index rooms_deleted on rooms (id) where deleted_at is not null",

  `create table room_members (
    room_id uuid not null references rooms on delete cascade,
    user_id uuid not null references users on delete cascade,
    role smallint not null,
    muted_until timestamptz,
    joined_at timestamptz not null,
    read_seq bigint not null default 0,
    last_sent_at timestamptz,
    primary key (room_id, user_id)
  )`,
  "create index room_members_user on room_members (user_id, room_id)",

  `create table room_bans (
    room_id uuid not null references rooms on delete cascade,
    user_id uuid not null references users on delete cascade,
    banned_by uuid not null,
    reason text not null default '',
    created_at timestamptz not null,
    until timestamptz,
    primary key (room_id, user_id)
  )`,

  `create table messages (
    room_id uuid not null,
    seq bigint not null,
    id uuid not null,
    author_id uuid not null,
    text text not null,
    client_message_id text,
    content_hash bytea not null,
    created_at timestamptz not null,
    edited_at timestamptz,
    deleted_at timestamptz,
    primary key (room_id, seq)
  )`,
  "create unique index messages_id on messages (room_id, id)",
  "create unique index messages_client_message_id on messages (room_id, author_id, client_message_id) where client_message_id is not null",

  `create table message_reactions (
    room_id uuid not null,
    message_seq bigint not null,
    emoji text not null,
    user_id uuid not null,
    seq bigint not null,
    primary key (room_id, message_seq, emoji, user_id)
  )`,

  `create table room_events (
    room_id uuid not null,
    seq bigint not null,
    event bytea not null,
    message_seq bigint,
    primary key (room_id, seq)
  )`,
  // Finds the edits whose text a deletion removes.
  "create index room_events_message on room_events (room_id, message_seq) where message_seq is not null",
];

export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

export async function down(db: Kysely<unknown>): Promise<void> {
  const tables = "room_events, message_reactions, messages, room_bans, room_members, rooms, signing_keys, sessions, users";
  await sql.raw(`drop table ${tables}`).execute(db);
}
