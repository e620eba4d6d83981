import { type Kysely, type Selectable, sql } from "kysely";
import { plannedForValues } from "./kysely.ts";
import type { RoomsTable, Schema } from "./schema.ts";

export type RoomRow = Omit<Selectable<RoomsTable>, "search">;
type Store = Kysely<Schema>;

const columns = [
  "id",
  "visibility",
  "name",
  "topic",
  "created_by",
  "created_at",
  "archived_at",
  "deleted_at",
  "last_seq",
  "policy_seq",
  "member_count",
  "post_role",
  "slow_mode_seconds",
  "retention_seconds",
  "first_seq",
  "direct_key",
] as const;

/** A room that was not deleted. */
export function findRoom(store: Store, id: string): Promise<RoomRow | undefined> {
  return store.selectFrom("rooms").select(columns).where("id", "=", id).where("deleted_at", "is", null).executeTakeFirst();
}

export function findDirectRoom(store: Store, directKey: string): Promise<RoomRow | undefined> {
  return store.selectFrom("rooms").select(columns).where("direct_key", "=", directKey).where("deleted_at", "is", null).executeTakeFirst();
}

export async function insertRoom(tx: Store, room: RoomRow): Promise<void> {
  await tx.insertInto("rooms").values(room).execute();
}

export async function updateRoom(tx: Store, id: string, change: Partial<RoomRow>): Promise<void> {
  await tx.updateTable("rooms").set(change).where("id", "=", id).execute();
}

export type RoomEnds = Pick<RoomRow, "id" | "first_seq" | "last_seq">;

/** Where the logs of these rooms begin and end, deleted ones left out. */
export async function roomHeads(store: Store, ids: readonly string[]): Promise<RoomEnds[]> {
  return (
    await sql<RoomEnds>`select id, first_seq, last_seq from rooms where id = any(${ids}::uuid[]) and deleted_at is null`.execute(store)
  ).rows;
}

export interface DirectoryPage {
  /** A tsquery of word beginnings, or undefined for all rooms. */
  readonly words: string | undefined;
  readonly after: { readonly name: string; readonly id: string } | undefined;
  readonly limit: number;
}

/** Public open rooms by name, ignoring case; `name_key` is what they are sorted by. */
export function listPublicRooms(store: Store, page: DirectoryPage): Promise<Array<RoomRow & { name_key: string }>> {
  return page.words === undefined ? publicRooms(store, page) : plannedForValues(store, (tx) => publicRooms(tx, page));
}

function publicRooms(store: Store, { words, after, limit }: DirectoryPage): Promise<Array<RoomRow & { name_key: string }>> {
  let query = store
    .selectFrom("rooms")
    .select(columns)
    .select(sql<string>`lower(name)`.as("name_key"))
    // No parameter: a plan for any visibility could not use the index of the public ones.
    .where("visibility", "=", sql.lit(1))
    .where("archived_at", "is", null)
    .where("deleted_at", "is", null);
  if (words !== undefined) query = query.where(sql<boolean>`search @@ to_tsquery('simple', ${words})`);
  if (after) query = query.where(sql<boolean>`(lower(name) collate "C", id) > (${after.name}, ${after.id}::uuid)`);
  return query.orderBy(sql`lower(name) collate "C"`).orderBy("id").limit(limit).execute();
}

/** Rooms that were deleted and still have content. */
export async function deletedRooms(store: Store): Promise<string[]> {
  const rows = await store.selectFrom("rooms").select("id").where("deleted_at", "is not", null).execute();
  return rows.map((row) => row.id);
}

/** Removes up to `limit` rows of a deleted room's content; says whether there was any. */
export async function purgeSome(store: Store, roomId: string, limit: number): Promise<boolean> {
  for (const table of ["room_events", "messages", "message_reactions"]) {
    // A ctid is a place within a partition: others have rows of other rooms there.
    const purge = sql`delete from ${sql.table(table)} where room_id = ${roomId}
      and ctid = any(array(select ctid from ${sql.table(table)} where room_id = ${roomId} limit ${limit}))`;
    const { numAffectedRows } = await purge.execute(store);
    if (numAffectedRows && numAffectedRows > 0n) return true;
  }
  return false;
}

export async function forgetRoom(store: Store, roomId: string): Promise<void> {
  await store.deleteFrom("rooms").where("id", "=", roomId).where("deleted_at", "is not", null).execute();
}
