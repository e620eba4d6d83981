import { type Kysely, type Selectable, sql } from "kysely";
import type { RoomRow } from "./rooms.ts";
import type { BansTable, MembersTable, Schema } from "./schema.ts";

export type MemberRow = Selectable<MembersTable>;
export type BanRow = Selectable<BansTable>;
type Store = Kysely<Schema>;

export function findMember(store: Store, roomId: string, userId: string): Promise<MemberRow | undefined> {
  return store.selectFrom("room_members").selectAll().where("room_id", "=", roomId).where("user_id", "=", userId).executeTakeFirst();
}

export async function insertMembers(tx: Store, members: readonly MemberRow[]): Promise<void> {
  if (members.length > 0) await tx.insertInto("room_members").values(members).execute();
}

export async function updateMember(tx: Store, roomId: string, userId: string, change: Partial<MemberRow>): Promise<void> {
  await tx.updateTable("room_members").set(change).where("room_id", "=", roomId).where("user_id", "=", userId).execute();
}

export async function deleteMember(tx: Store, roomId: string, userId: string): Promise<void> {
  await tx.deleteFrom("room_members").where("room_id", "=", roomId).where("user_id", "=", userId).execute();
}

export async function deleteMembers(tx: Store, roomId: string): Promise<void> {
  await tx.deleteFrom("room_members").where("room_id", "=", roomId).execute();
}

export async function countMembersWithRole(tx: Store, roomId: string, role: number): Promise<number> {
  const query = tx
    .selectFrom("room_members")
    .select((eb) => eb.fn.countAll<number>().as("count"))
    .where("room_id", "=", roomId)
    .where("role", "=", role);
  return Number((await query.executeTakeFirstOrThrow()).count);
}

/** Members in the order of their ids, after one of them. */
export function listMembers(store: Store, roomId: string, after: string | undefined, limit: number): Promise<MemberRow[]> {
  let query = store.selectFrom("room_members").selectAll().where("room_id", "=", roomId);
  if (after) query = query.where("user_id", ">", after);
  return query.orderBy("user_id").limit(limit).execute();
}

export type MyRoomRow = RoomRow & Pick<MemberRow, "role" | "muted_until" | "joined_at" | "read_seq">;

/** The rooms of a person, in the order of their ids, after one of them. */
export async function listRoomsOf(store: Store, userId: string, after: string | undefined, limit: number): Promise<MyRoomRow[]> {
  let query = store
    .selectFrom("room_members as m")
    .innerJoin("rooms as r", "r.id", "m.room_id")
    .selectAll("r")
    .select(["m.role", "m.muted_until", "m.joined_at", "m.read_seq"])
    .where("m.user_id", "=", userId)
    .where("r.deleted_at", "is", null);
  if (after) query = query.where("m.room_id", ">", after);
  return query.orderBy("m.room_id").limit(limit).execute();
}

/** Everyone in these rooms; meant for direct conversations, which are small. */
export async function membersOfRooms(store: Store, roomIds: readonly string[]): Promise<Array<Pick<MemberRow, "room_id" | "user_id">>> {
  const statement = sql<
    Pick<MemberRow, "room_id" | "user_id">
  >`select room_id, user_id from room_members where room_id = any(${roomIds}::uuid[]) order by user_id`;
  return (await statement.execute(store)).rows;
}

export interface RoomPlace {
  readonly room_id: string;
  readonly first_seq: number;
  readonly last_seq: number;
  readonly read_seq: number;
}

/** Where every room of a person stands: what a welcome says. */
export async function placesOf(store: Store, userId: string): Promise<RoomPlace[]> {
  const statement = sql<RoomPlace>`select m.room_id, r.first_seq, r.last_seq, m.read_seq from room_members m join rooms r on r.id = m.room_id
    where m.user_id = ${userId} and r.deleted_at is null order by m.room_id`;
  return (await statement.execute(store)).rows;
}

export interface Arrival {
  readonly room_id: string;
  readonly user_id: string;
  /** The end of the room's log when the person came, or as far as the person has read since. */
  readonly read_seq: number;
}

/** Who came into any room since a time. */
export async function arrivalsSince(store: Store, since: Date): Promise<Arrival[]> {
  return store.selectFrom("room_members").select(["room_id", "user_id", "read_seq"]).where("joined_at", ">=", since).execute();
}

/** All memberships of these people. */
export async function membershipsOf(store: Store, userIds: readonly string[]): Promise<Arrival[]> {
  const statement = sql<Arrival>`select room_id, user_id, read_seq from room_members where user_id = any(${userIds}::uuid[])`;
  return (await statement.execute(store)).rows;
}

/** Those of the given people who share a room with a person. */
export async function sharingRoomWith(store: Store, userId: string, others: readonly string[]): Promise<Set<string>> {
  const statement = sql<{
    user_id: string;
  }>`select distinct o.user_id from room_members o join room_members mine on mine.room_id = o.room_id
    where o.user_id = any(${others}::uuid[]) and mine.user_id = ${userId}`;
  return new Set((await statement.execute(store)).rows.map((row) => row.user_id));
}

/** Moves a read marker forward; one that is further already stays. Undefined for somebody who is not a member. */
export async function moveReadMarker(
  store: Store,
  roomId: string,
  userId: string,
  seq: number,
): Promise<{ readonly readSeq: number; readonly moved: boolean } | undefined> {
  const member = sql`room_id = ${roomId} and user_id = ${userId}`;
  const moved = await sql`update room_members set read_seq = ${seq} where ${member} and read_seq < ${seq}`.execute(store);
  if (moved.numAffectedRows) return { readSeq: seq, moved: true };
  const row = await findMember(store, roomId, userId);
  return row && { readSeq: row.read_seq, moved: false };
}

/** The ban of a person that is in force at a time. */
export function findBan(store: Store, roomId: string, userId: string, now: Date): Promise<BanRow | undefined> {
  return store
    .selectFrom("room_bans")
    .selectAll()
    .where("room_id", "=", roomId)
    .where("user_id", "=", userId)
    .where((eb) => eb.or([eb("until", "is", null), eb("until", ">", now)]))
    .executeTakeFirst();
}

export async function putBan(tx: Store, ban: BanRow): Promise<void> {
  const { banned_by, reason, created_at, until } = ban;
  await tx
    .insertInto("room_bans")
    .values(ban)
    .onConflict((oc) => oc.columns(["room_id", "user_id"]).doUpdateSet({ banned_by, reason, created_at, until }))
    .execute();
}

/** Says whether there was one. */
export async function deleteBan(tx: Store, roomId: string, userId: string): Promise<boolean> {
  const result = await tx.deleteFrom("room_bans").where("room_id", "=", roomId).where("user_id", "=", userId).executeTakeFirst();
  return result.numDeletedRows > 0n;
}

export function listBans(store: Store, roomId: string, now: Date, after: string | undefined, limit: number): Promise<BanRow[]> {
  let query = store
    .selectFrom("room_bans")
    .selectAll()
    .where("room_id", "=", roomId)
    .where((eb) => eb.or([eb("until", "is", null), eb("until", ">", now)]));
  if (after) query = query.where("user_id", ">", after);
  return query.orderBy("user_id").limit(limit).execute();
}

export async function findMyRoom(store: Store, userId: string, roomId: string): Promise<MyRoomRow | undefined> {
  return store
    .selectFrom("room_members as m")
    .innerJoin("rooms as r", "r.id", "m.room_id")
    .selectAll("r")
    .select(["m.role", "m.muted_until", "m.joined_at", "m.read_seq"])
    .where("m.user_id", "=", userId)
    .where("m.room_id", "=", roomId)
    .where("r.deleted_at", "is", null)
    .executeTakeFirst();
}
