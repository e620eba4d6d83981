import { type Database, DatabaseError } from "../ports/database.ts";
import { endSessionOf, statusOf, storedEvents } from "../store/log-statements.ts";
import type { RoomTransaction } from "./room-transaction.ts";

/** The connection was lost during COMMIT: the transaction has taken effect wholly, or not at all. */
export class CommitInDoubt extends Error {
  override readonly name = "CommitInDoubt";
  /** As `pg_current_xact_id()` gave it. */
  readonly transactionId: string;
  /** What it does, if it has taken effect. */
  readonly rooms: readonly RoomTransaction[];

  constructor(transactionId: string, rooms: readonly RoomTransaction[], cause: DatabaseError) {
    super("The connection was lost during COMMIT, and the transaction was not carried out.", { cause });
    this.transactionId = transactionId;
    this.rooms = rooms;
  }
}

/**
 * Whether a transaction has taken effect; undefined while the server is still busy with it. The server's word is not enough: one
 * that took over with some transactions missing may have given the id to another. So the events have to be there as well.
 * @throws DatabaseError
 */
export async function didCommit(database: Database, { transactionId, rooms }: CommitInDoubt): Promise<boolean | undefined> {
  const status = await statusOf(database, transactionId).catch(unknownId);
  if (status === "in progress") {
    // The server may not have noticed that the connection is gone, and keep the rooms locked.
    await endSessionOf(database, transactionId);
    return undefined;
  }
  if (status === "aborted") return false;
  const newest = rooms.flatMap((room) => room.eventRows.slice(-1));
  return newest.length === 0 ? status === "committed" : (await storedEvents(database, newest)) === newest.length;
}

/** A server that has not come as far as this id has no such transaction. */
function unknownId(error: unknown): "aborted" {
  if (error instanceof DatabaseError && error.kind === "fault") return "aborted";
  throw error;
}
