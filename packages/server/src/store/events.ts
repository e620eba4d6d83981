import type { Kysely, Selectable } from "kysely";
import type { EventsTable, Schema } from "./schema.ts";

export type EventRow = Selectable<EventsTable>;
type Store = Kysely<Schema>;

/** A page of a room's log after a `seq`, in order. */
export async function eventsAfter(
  store: Store,
  roomId: string,
  seq: number,
  limit: number,
): Promise<Array<Pick<EventRow, "seq" | "event">>> {
  return store
    .selectFrom("room_events")
    .select(["seq", "event"])
    .where("room_id", "=", roomId)
    .where("seq", ">", seq)
    .orderBy("seq")
    .limit(limit)
    .execute();
}

/** The events about one message: the one that sent it and those that came later. */
export function eventsOfMessage(tx: Store, roomId: string, messageSeq: number): Promise<EventRow[]> {
  return tx
    .selectFrom("room_events")
    .selectAll()
    .where("room_id", "=", roomId)
    .where((eb) => eb.or([eb("seq", "=", messageSeq), eb("message_seq", "=", messageSeq)]))
    .execute();
}

export async function replaceEvent(tx: Store, roomId: string, seq: number, event: Uint8Array): Promise<void> {
  await tx.updateTable("room_events").set({ event }).where("room_id", "=", roomId).where("seq", "=", seq).execute();
}
