-- The schema that the migrations make, on every engine. Written by scripts/schema.ts.

create table message_reactions (
  room_id uuid not null,
  message_seq bigint not null,
  emoji text not null,
  user_id uuid not null,
  seq bigint not null,
  constraint message_reactions_pkey PRIMARY KEY (room_id, message_seq, emoji, user_id)
) partition by HASH (room_id);
create table message_reactions_p0 partition of message_reactions FOR VALUES WITH (modulus 8, remainder 0); -- message_reactions_p0_pkey
create table message_reactions_p1 partition of message_reactions FOR VALUES WITH (modulus 8, remainder 1); -- message_reactions_p1_pkey
create table message_reactions_p2 partition of message_reactions FOR VALUES WITH (modulus 8, remainder 2); -- message_reactions_p2_pkey
create table message_reactions_p3 partition of message_reactions FOR VALUES WITH (modulus 8, remainder 3); -- message_reactions_p3_pkey
create table message_reactions_p4 partition of message_reactions FOR VALUES WITH (modulus 8, remainder 4); -- message_reactions_p4_pkey
create table message_reactions_p5 partition of message_reactions FOR VALUES WITH (modulus 8, remainder 5); -- message_reactions_p5_pkey
create table message_reactions_p6 partition of message_reactions FOR VALUES WITH (modulus 8, remainder 6); -- message_reactions_p6_pkey
create table message_reactions_p7 partition of message_reactions FOR VALUES WITH (modulus 8, remainder 7); -- message_reactions_p7_pkey

create table messages (
  room_id uuid not null,
  seq bigint not null,
  id uuid not null,
  author_id uuid not null,
  text text not null,
  client_message_id text,
  content_hash bytea not null,
  created_at timestamp with time zone not null,
  edited_at timestamp with time zone,
  deleted_at timestamp with time zone,
  constraint messages_pkey PRIMARY KEY (room_id, seq)
) partition by HASH (room_id);
CREATE UNIQUE INDEX messages_client_message_id ON public.messages USING btree (room_id, author_id, client_message_id) WHERE (client_message_id IS NOT NULL);
CREATE UNIQUE INDEX messages_id ON public.messages USING btree (room_id, id);
create table messages_p0 partition of messages FOR VALUES WITH (modulus 8, remainder 0); -- messages_p0_client_message_id, messages_p0_id, messages_p0_pkey
create table messages_p1 partition of messages FOR VALUES WITH (modulus 8, remainder 1); -- messages_p1_client_message_id, messages_p1_id, messages_p1_pkey
create table messages_p2 partition of messages FOR VALUES WITH (modulus 8, remainder 2); -- messages_p2_client_message_id, messages_p2_id, messages_p2_pkey
create table messages_p3 partition of messages FOR VALUES WITH (modulus 8, remainder 3); -- messages_p3_client_message_id, messages_p3_id, messages_p3_pkey
create table messages_p4 partition of messages FOR VALUES WITH (modulus 8, remainder 4); -- messages_p4_client_message_id, messages_p4_id, messages_p4_pkey
create table messages_p5 partition of messages FOR VALUES WITH (modulus 8, remainder 5); -- messages_p5_client_message_id, messages_p5_id, messages_p5_pkey
create table messages_p6 partition of messages FOR VALUES WITH (modulus 8, remainder 6); -- messages_p6_client_message_id, messages_p6_id, messages_p6_pkey
create table messages_p7 partition of messages FOR VALUES WITH (modulus 8, remainder 7); -- messages_p7_client_message_id, messages_p7_id, messages_p7_pkey

create table mqtt_cursors (
  user_id uuid not null,
  client_id text not null,
  room_id uuid not null,
  acked_seq bigint not null,
  sent_seq bigint not null,
  constraint mqtt_cursors_pkey PRIMARY KEY (user_id, client_id, room_id),
  constraint mqtt_cursors_user_id_client_id_fkey FOREIGN KEY (user_id, client_id) REFERENCES mqtt_sessions(user_id, client_id) ON DELETE CASCADE
);

create table mqtt_sessions (
  user_id uuid not null,
  client_id text not null,
  epoch bigint not null,
  subscriptions jsonb not null,
  expiry_seconds bigint not null,
  settled_at timestamp with time zone not null,
  seen_at timestamp with time zone not null,
  left_at timestamp with time zone,
  constraint mqtt_sessions_pkey PRIMARY KEY (user_id, client_id),
  constraint mqtt_sessions_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE
);

create table room_bans (
  room_id uuid not null,
  user_id uuid not null,
  banned_by uuid not null,
  reason text not null default ''::text,
  created_at timestamp with time zone not null,
  until timestamp with time zone,
  constraint room_bans_pkey PRIMARY KEY (room_id, user_id),
  constraint room_bans_room_id_fkey FOREIGN KEY (room_id) REFERENCES rooms(id) ON DELETE CASCADE,
  constraint room_bans_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE
);

create table room_events (
  room_id uuid not null,
  seq bigint not null,
  event bytea not null,
  message_seq bigint,
  constraint room_events_pkey PRIMARY KEY (room_id, seq)
) partition by HASH (room_id);
CREATE INDEX room_events_message ON public.room_events USING btree (room_id, message_seq) WHERE (message_seq IS NOT NULL);
create table room_events_p0 partition of room_events FOR VALUES WITH (modulus 8, remainder 0); -- room_events_p0_message, room_events_p0_pkey
create table room_events_p1 partition of room_events FOR VALUES WITH (modulus 8, remainder 1); -- room_events_p1_message, room_events_p1_pkey
create table room_events_p2 partition of room_events FOR VALUES WITH (modulus 8, remainder 2); -- room_events_p2_message, room_events_p2_pkey
create table room_events_p3 partition of room_events FOR VALUES WITH (modulus 8, remainder 3); -- room_events_p3_message, room_events_p3_pkey
create table room_events_p4 partition of room_events FOR VALUES WITH (modulus 8, remainder 4); -- room_events_p4_message, room_events_p4_pkey
create table room_events_p5 partition of room_events FOR VALUES WITH (modulus 8, remainder 5); -- room_events_p5_message, room_events_p5_pkey
create table room_events_p6 partition of room_events FOR VALUES WITH (modulus 8, remainder 6); -- room_events_p6_message, room_events_p6_pkey
create table room_events_p7 partition of room_events FOR VALUES WITH (modulus 8, remainder 7); -- room_events_p7_message, room_events_p7_pkey

create table room_members (
  room_id uuid not null,
  user_id uuid not null,
  role smallint not null,
  muted_until timestamp with time zone,
  joined_at timestamp with time zone not null,
  read_seq bigint not null default 0,
  last_sent_at timestamp with time zone,
  constraint room_members_pkey PRIMARY KEY (room_id, user_id),
  constraint room_members_room_id_fkey FOREIGN KEY (room_id) REFERENCES rooms(id) ON DELETE CASCADE,
  constraint room_members_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE
);
CREATE INDEX room_members_joined ON public.room_members USING btree (joined_at);
CREATE INDEX room_members_user ON public.room_members USING btree (user_id, room_id);

create table rooms (
  id uuid not null,
  visibility smallint not null,
  name text not null,
  topic text not null default ''::text,
  created_by uuid not null,
  created_at timestamp with time zone not null,
  archived_at timestamp with time zone,
  deleted_at timestamp with time zone,
  last_seq bigint not null,
  policy_seq bigint not null,
  member_count integer not null,
  post_role smallint not null,
  slow_mode_seconds integer not null default 0,
  direct_key text,
  search tsvector generated always as (to_tsvector('simple'::regconfig, name)) stored,
  retention_seconds integer,
  first_seq bigint not null default 1,
  constraint rooms_pkey PRIMARY KEY (id),
  constraint rooms_retention_seconds_check CHECK ((retention_seconds > 0))
);
CREATE INDEX rooms_deleted ON public.rooms USING btree (id) WHERE (deleted_at IS NOT NULL);
CREATE UNIQUE INDEX rooms_direct_key ON public.rooms USING btree (direct_key) WHERE (direct_key IS NOT NULL);
CREATE INDEX rooms_directory ON public.rooms USING btree (lower(name) COLLATE "C", id) WHERE ((visibility = 1) AND (archived_at IS NULL) AND (deleted_at IS NULL));
CREATE INDEX rooms_search ON public.rooms USING gin (search);

create table sessions (
  id uuid not null,
  user_id uuid not null,
  kind text not null,
  name text not null default ''::text,
  address text not null default ''::text,
  scopes smallint[] not null default '{}'::smallint[],
  secret_hash bytea not null,
  generation integer not null default 0,
  created_at timestamp with time zone not null,
  refreshed_at timestamp with time zone not null,
  expires_at timestamp with time zone,
  revoked_at timestamp with time zone,
  constraint sessions_pkey PRIMARY KEY (id),
  constraint sessions_kind_check CHECK ((kind = ANY (ARRAY['session'::text, 'api_token'::text]))),
  constraint sessions_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE
);
CREATE INDEX sessions_user ON public.sessions USING btree (user_id, kind, id) WHERE (revoked_at IS NULL);

create table signing_keys (
  id text not null,
  jwk jsonb not null,
  created_at timestamp with time zone not null,
  constraint signing_keys_pkey PRIMARY KEY (id)
);

create table users (
  id uuid not null,
  username text not null,
  display_name text not null,
  bio text not null default ''::text,
  avatar_url text not null default ''::text,
  role smallint not null,
  password_hash text not null,
  created_at timestamp with time zone not null,
  deactivated_at timestamp with time zone,
  last_seen_at timestamp with time zone,
  search tsvector generated always as (to_tsvector('simple'::regconfig, display_name)) stored,
  constraint users_pkey PRIMARY KEY (id)
);
CREATE INDEX users_search ON public.users USING gin (search);
CREATE UNIQUE INDEX users_username ON public.users USING btree (username text_pattern_ops);
