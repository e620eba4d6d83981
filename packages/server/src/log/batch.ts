import { ParlorError } from "@parlor/contract";
import { type Kysely, sql } from "kysely";
import { RoomPolicy } from "../domain/room-policy.ts";
import type { Clock } from "../ports/clock.ts";
import { type Connection, type Database, DatabaseError } from "../ports/database.ts";
import type { TraceParent } from "../ports/tracing.ts";
import { appendToLogs } from "../store/append.ts";
import { storeOn } from "../store/kysely.ts";
import { beginTransaction, lockRooms } from "../store/log-statements.ts";
import type { RoomRow } from "../store/rooms.ts";
import type { Schema } from "../store/schema.ts";
import { CommitInDoubt } from "./doubt.ts";
import type { Feeds } from "./feeds.ts";
import { RoomTransaction } from "./room-transaction.ts";
import { type SendDraft, type SendResult, SendRun } from "./sends.ts";
import { rulesOf } from "./views.ts";

type Outcome = { readonly result: unknown } | { readonly error: unknown };

interface Answer<R> {
  readonly resolve: (result: R) => void;
  readonly reject: (error: unknown) => void;
  /** The span that waits for it; undefined when there is none. */
  readonly from: TraceParent | undefined;
  /** When it came, as of performance.now(). */
  readonly since: number;
  /** Whether it may have been stored by a try whose answer was lost. */
  inDoubt: boolean;
  /** Decided inside the transaction, told after COMMIT. */
  outcome: Outcome | undefined;
}

export type Work =
  | ({ readonly kind: "send"; readonly roomId: string; readonly draft: SendDraft } & Answer<SendResult>)
  | ({ readonly kind: "change"; readonly roomId: string; readonly apply: (room: RoomTransaction) => Promise<unknown> } & Answer<unknown>);

export interface BatchContext {
  readonly database: Database;
  /** Over the same database. */
  readonly store: Kysely<Schema>;
  readonly feeds: Feeds;
  readonly clock: Clock;
}

/**
 * Carries out sends and changes, in their order, in one transaction; sets their outcomes. A refusal leaves the others alone.
 * Returns the rooms to which something was added.
 * @throws DatabaseError, CommitInDoubt
 *
 * Each wait for the database costs more than most statements, so a transaction of sends waits twice: for what it must know,
 * and for the end. The database answers in the order in which it was asked: what is read after the locks is read under them.
 */
export async function commitBatch({ database, feeds, clock }: BatchContext, batch: readonly Work[]): Promise<RoomTransaction[]> {
  const connection = await database.connect();
  try {
    const ids = [...new Set(batch.map((work) => work.roomId))];
    const sends = new SendRun(
      connection,
      batch.filter((work) => work.kind === "send"),
    );
    const [transactionId, rows] = await all([beginTransaction(connection), lockRooms(connection, ids), sends.findRepeats()]);
    const store = storeOn(connection);
    const rooms = openRooms(store, feeds, new Date(clock.now()), ids, rows);
    await sends.findAuthors(rooms);
    for (const work of batch) work.outcome = await carryOut(work, rooms.get(work.roomId) as RoomTransaction, sends, store);
    const changed = [...rooms.values()].filter((room) => room.events.length > 0);
    await end(connection, transactionId, changed, sends);
    return changed;
  } finally {
    await connection.release();
  }
}

/** Stores what was decided, and commits. @throws CommitInDoubt when the connection was lost meanwhile */
async function end(connection: Connection, transactionId: string, changed: readonly RoomTransaction[], sends: SendRun): Promise<void> {
  const events = changed.flatMap((room) => room.eventRows);
  const heads = changed.map((room) => room.head);
  const stored = changed.length > 0 ? appendToLogs(connection, events, sends.rows, heads) : undefined;
  const committed = connection.query("commit");
  // COMMIT is under way with the statement before it: what the loss of both means is for COMMIT to say.
  const [, { reason = undefined } = {}] = (await Promise.allSettled([stored, committed])) as [unknown, { reason?: unknown }];
  if (reason instanceof DatabaseError && reason.kind === "unknown_outcome") throw new CommitInDoubt(transactionId, changed, reason);
  await all([stored, committed]);
}

/** Waits for all, and then fails with the first that failed: the cause, where the later ones only follow from it. */
async function all<T extends readonly unknown[] | []>(calls: T): Promise<{ -readonly [P in keyof T]: Awaited<T[P]> }> {
  await Promise.allSettled(calls);
  return Promise.all(calls);
}

/** The rooms, which are locked now, with what memory knows of them where it is current. */
function openRooms(
  tx: Kysely<Schema>,
  feeds: Feeds,
  now: Date,
  ids: readonly string[],
  rows: readonly RoomRow[],
): Map<string, RoomTransaction> {
  const byId = new Map(rows.map((row) => [row.id, row]));
  return new Map(
    ids.map((id) => {
      const row = byId.get(id);
      return [id, new RoomTransaction(tx, now, { roomId: id, row, lastSeq: row?.last_seq ?? 0, policy: row && currentPolicy(feeds, row) })];
    }),
  );
}

/** While the row is locked nobody can change the policy, so that equal `policy_seq` means equal policy. */
function currentPolicy(feeds: Feeds, row: RoomRow): RoomPolicy {
  const feed = feeds.peek(row.id);
  if (feed?.policy.seq === row.policy_seq) return feed.policy.fork();
  const fresh = new RoomPolicy(rulesOf(row), row.policy_seq);
  if (feed) feed.policy = fresh;
  return fresh.fork();
}

async function carryOut(work: Work, room: RoomTransaction, sends: SendRun, tx: Kysely<Schema>): Promise<Outcome> {
  if (work.kind === "change") return change(work.apply, room, tx);
  try {
    return { result: await sends.send(work.draft, room) };
  } catch (error) {
    if (error instanceof ParlorError) return { error };
    throw error;
  }
}

/** A savepoint keeps a refused change from leaving anything behind, and from spoiling the transaction. */
async function change(apply: (room: RoomTransaction) => Promise<unknown>, room: RoomTransaction, tx: Kysely<Schema>): Promise<Outcome> {
  const goBack = room.checkpoint();
  await sql`savepoint change`.execute(tx);
  try {
    const result = await apply(room);
    await sql`release savepoint change`.execute(tx);
    return { result };
  } catch (error) {
    if (error instanceof DatabaseError && ["retry", "unavailable", "unknown_outcome"].includes(error.kind)) throw error;
    goBack();
    await sql`rollback to savepoint change`.execute(tx);
    return { error };
  }
}
