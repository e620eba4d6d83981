// The tables as the store's statements see them. The migrations make them; `docs/schema.sql` shows them.
import type { GeneratedAlways } from "kysely";

export interface UsersTable {
  readonly id: string;
  /** Lower case. */
  username: string;
  display_name: string;
  bio: string;
  avatar_url: string;
  /** User_Role. */
  role: number;
  password_hash: string;
  created_at: Date;
  deactivated_at: Date | null;
  /** When the last connection was last alive. */
  last_seen_at: Date | null;
  /** The words of the display name, as a tsvector. */
  search: GeneratedAlways<string>;
}

/** Sessions and API tokens: whatever can sign a call, and be revoked. */
export interface SessionsTable {
  readonly id: string;
  user_id: string;
  /** "session" or "api_token". */
  kind: "session" | "api_token";
  /** The device's name, or the token's. */
  name: string;
  address: string;
  /** ApiToken_Scope; empty for sessions. */
  scopes: number[];
  /** SHA-256 of the refresh token in force, or of the API token. */
  secret_hash: Uint8Array;
  /** How often the refresh token was exchanged. */
  generation: number;
  created_at: Date;
  refreshed_at: Date;
  expires_at: Date | null;
  revoked_at: Date | null;
}

export interface SigningKeysTable {
  readonly id: string;
  /** The private key as JWK. */
  jwk: unknown;
  created_at: Date;
}

export interface RoomsTable {
  readonly id: string;
  /** Room_Visibility. */
  visibility: number;
  name: string;
  topic: string;
  created_by: string;
  created_at: Date;
  archived_at: Date | null;
  deleted_at: Date | null;
  /** The `seq` of the newest event. */
  last_seq: number;
  /** The `seq` of the newest event that changed members or what they may do. */
  policy_seq: number;
  member_count: number;
  /** Member_Role: the least that may send. */
  post_role: number;
  slow_mode_seconds: number;
  /** How long messages are kept; null for what the server is set to. */
  retention_seconds: number | null;
  /** The first event that the log still has is not before this `seq`. */
  first_seq: number;
  /** For direct conversations: the sorted ids of its people, hashed. */
  direct_key: string | null;
  /** The words of the name, as a tsvector. */
  search: GeneratedAlways<string>;
}

export interface MembersTable {
  room_id: string;
  user_id: string;
  /** Member_Role. */
  role: number;
  muted_until: Date | null;
  joined_at: Date;
  read_seq: number;
  /** When the member last sent a message; kept only while the room has slow mode. */
  last_sent_at: Date | null;
}

export interface BansTable {
  room_id: string;
  user_id: string;
  banned_by: string;
  reason: string;
  created_at: Date;
  until: Date | null;
}

export interface MessagesTable {
  room_id: string;
  seq: number;
  id: string;
  author_id: string;
  text: string;
  /** Null when the author gave none. */
  client_message_id: string | null;
  /** SHA-256 of the text as first sent: what a repeat is compared with. */
  content_hash: Uint8Array;
  created_at: Date;
  edited_at: Date | null;
  deleted_at: Date | null;
}

export interface ReactionsTable {
  room_id: string;
  message_seq: number;
  emoji: string;
  user_id: string;
  /** The `seq` of the event, which orders the reactions. */
  seq: number;
}

export interface EventsTable {
  room_id: string;
  seq: number;
  /** The Event in protobuf, complete: what every reader gets. */
  event: Uint8Array;
  /** For events about an earlier message: the `seq` of that message. */
  message_seq: number | null;
}

/** What is kept of an MQTT client while it is away. */
export interface MqttSessionsTable {
  user_id: string;
  client_id: string;
  /** How often the session was taken by a connection; whoever took it last has it. */
  epoch: number;
  /** The subscriptions, as JSON. */
  subscriptions: unknown;
  /** How long it is kept after its connection. */
  expiry_seconds: number;
  /** What its client published and was stored before is known to be acknowledged: it does not send that again. */
  settled_at: Date;
  /** When its client was last known to be connected. */
  seen_at: Date;
  /** When its last connection ended; null while it is connected, and after a crash. */
  left_at: Date | null;
}

/** How far an MQTT session is in the log of a room. */
export interface MqttCursorsTable {
  user_id: string;
  client_id: string;
  room_id: string;
  /** Everything up to here is acknowledged. */
  acked_seq: number;
  /** At least everything up to here was sent. */
  sent_seq: number;
}

export interface Schema {
  users: UsersTable;
  sessions: SessionsTable;
  signing_keys: SigningKeysTable;
  rooms: RoomsTable;
  room_members: MembersTable;
  room_bans: BansTable;
  messages: MessagesTable;
  message_reactions: ReactionsTable;
  room_events: EventsTable;
  mqtt_sessions: MqttSessionsTable;
  mqtt_cursors: MqttCursorsTable;
}
