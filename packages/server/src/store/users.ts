import { User_Role } from "@parlor/contract";
import { type Kysely, type Selectable, sql } from "kysely";
import { plannedForValues } from "./kysely.ts";
import type { Schema, UsersTable } from "./schema.ts";

/** Everything about a person but what is only searched. */
export type UserRow = Omit<Selectable<UsersTable>, "search">;
/** What is known of a person from the beginning. */
export type NewUser = Pick<UserRow, "id" | "username" | "display_name" | "role" | "password_hash" | "created_at">;
type Store = Kysely<Schema>;

const columns = [
  "id",
  "username",
  "display_name",
  "bio",
  "avatar_url",
  "role",
  "password_hash",
  "created_at",
  "deactivated_at",
  "last_seen_at",
] as const;

/** Undefined when the user name is taken. */
export function insertUser(store: Store, user: NewUser): Promise<UserRow | undefined> {
  return store
    .insertInto("users")
    .values({ ...user, bio: "", avatar_url: "", deactivated_at: null, last_seen_at: null })
    .onConflict((conflict) => conflict.column("username").doNothing())
    .returning(columns)
    .executeTakeFirst();
}

export function findUser(store: Store, id: string): Promise<UserRow | undefined> {
  return store.selectFrom("users").select(columns).where("id", "=", id).executeTakeFirst();
}

/** Those of the given people who exist, in no order. */
export async function findUsers(store: Store, ids: readonly string[]): Promise<UserRow[]> {
  const list = sql.join(columns.map((column) => sql.ref(column)));
  return (await sql<UserRow>`select ${list} from users where id = any(${ids}::uuid[])`.execute(store)).rows;
}

export function findUserByName(store: Store, username: string): Promise<UserRow | undefined> {
  return store.selectFrom("users").select(columns).where("username", "=", username).executeTakeFirst();
}

/**
 * A person whose account is open, kept as they are until the transaction ends: neither deactivated nor given another
 * password. Others may read and lock the same row in this way at the same time.
 */
export function holdActiveUser(tx: Store, id: string): Promise<UserRow | undefined> {
  return tx.selectFrom("users").select(columns).where("id", "=", id).where("deactivated_at", "is", null).forShare().executeTakeFirst();
}

/** A person, whose row nobody else changes until the transaction ends. */
export function lockUser(tx: Store, id: string): Promise<UserRow | undefined> {
  return tx.selectFrom("users").select(columns).where("id", "=", id).forUpdate().executeTakeFirst();
}

/** The administrators with open accounts, whose rows nobody else changes until the transaction ends. */
export async function lockAdmins(tx: Store): Promise<string[]> {
  const query = tx.selectFrom("users").select("id").where("role", "=", User_Role.ADMIN).where("deactivated_at", "is", null);
  return (await query.orderBy("id").forUpdate().execute()).map((row) => row.id);
}

/** The person as they are after the change. */
export function updateUser(store: Store, id: string, change: Partial<Omit<UserRow, "id">>): Promise<UserRow | undefined> {
  return store.updateTable("users").set(change).where("id", "=", id).returning(columns).executeTakeFirst();
}

/** These people were last seen at a time, unless they were seen since. */
export async function seeUsers(store: Store, ids: readonly string[], at: Date): Promise<void> {
  await sql`update users set last_seen_at = ${at} where id = any(${ids}::uuid[]) and (last_seen_at is null or last_seen_at < ${at})`.execute(
    store,
  );
}

export interface UserList {
  readonly role?: number;
  /** The user name after which to go on. */
  readonly after?: string;
  readonly limit: number;
}

/** Everybody, or everybody with one role, by user name, byte by byte. */
export function listUsers(store: Store, { role, after = "", limit }: UserList): Promise<UserRow[]> {
  let query = store.selectFrom("users").select(columns).where(sql<boolean>`username ~>~ ${after}`);
  if (role !== undefined) query = query.where("role", "=", role);
  return query.orderBy(sql`username using ~<~`).limit(limit).execute();
}

export interface UserSearch {
  /** The beginning of a name, as somebody typed it. */
  readonly query: string;
  /** The user name after which to go on. */
  readonly after: string | undefined;
  readonly limit: number;
}

/** A tsquery for words that begin like those of a text. Within its quotes PostgreSQL takes every character as text. */
export function wordsBeginning(text: string): string {
  return `'${text.replace(/[\\']/g, "\\$&")}':*`;
}

/**
 * People with open accounts whose user name, or words of whose display name, begin with a text; by user name, byte by byte.
 * Both halves are cut to a page before they are joined, and the first reads no more than that of the index.
 */
export function searchUsers(store: Store, { query, after, limit }: UserSearch): Promise<UserRow[]> {
  const list = sql.join(columns.map((column) => sql.ref(column)));
  const prefix = query.toLowerCase();
  // "~" sorts behind every character of a user name. The operators are those of the index, which compares bytes.
  const byUsername = sql`username ~>=~ ${prefix} and username ~<~ ${`${prefix}~`}`;
  const byWords = sql`search @@ to_tsquery('simple', ${wordsBeginning(query)})`;
  const page = (condition: typeof byWords) => sql`(select ${list} from users
    where ${condition} and username ~>~ ${after ?? ""} and deactivated_at is null order by username using ~<~ limit ${limit})`;
  const statement = sql<UserRow>`select * from (${page(byUsername)} union ${page(byWords)}) as found order by username using ~<~ limit ${limit}`;
  return plannedForValues(store, async (tx) => (await statement.execute(tx)).rows);
}
