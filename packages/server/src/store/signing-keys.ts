import { type Kysely, type Selectable, sql } from "kysely";
import type { Schema, SigningKeysTable } from "./schema.ts";

export type SigningKeyRow = Selectable<SigningKeysTable>;
type Store = Kysely<Schema>;

/** Stores a key unless there is one under this id already: of many nodes that start at once, one decides for all. */
export async function offerSigningKey(store: Store, { id, jwk, created_at }: SigningKeyRow): Promise<void> {
  await sql`insert into signing_keys (id, jwk, created_at) values (${id}, ${JSON.stringify(jwk)}::text::jsonb, ${created_at})
    on conflict (id) do nothing`.execute(store);
}

export function listSigningKeys(store: Store): Promise<SigningKeyRow[]> {
  return store.selectFrom("signing_keys").selectAll().execute();
}

export async function deleteSigningKeys(store: Store, ids: readonly string[]): Promise<void> {
  await sql`delete from signing_keys where id = any(${ids}::text[])`.execute(store);
}
