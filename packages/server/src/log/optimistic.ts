import { ParlorError } from "@parlor/contract";
import { isRepeat, madeWhen } from "../domain/publication-key.ts";
import { DatabaseError } from "../ports/database.ts";
import { appendToLogs } from "../store/append.ts";
import type { BatchContext, Work } from "./batch.ts";
import type { RoomFeed } from "./room-feed.ts";
import { RoomTransaction } from "./room-transaction.ts";
import { SendRun } from "./sends.ts";

type Send = Extract<Work, { kind: "send" }>;

/**
 * Carries out sends in one statement without a lock, where memory knows the rooms and authors: the statement fails if a room is
 * not where memory says, so that whatever was decided from memory was right. Returns undefined when it is not to be done in this
 * way (nothing was stored then): a repeat, a refusal, slow mode, another node that was faster.
 * @throws DatabaseError; after `unknown_outcome` the sends may have been stored
 */
export async function commitFromMemory(
  { database, store, feeds, clock }: BatchContext,
  batch: readonly Work[],
): Promise<RoomTransaction[] | undefined> {
  const sends = batch.filter((work) => work.kind === "send");
  const known = new Map(sends.map(({ roomId }) => [roomId, feeds.peek(roomId)]));
  if (sends.length < batch.length || !sends.every((send) => isKnown(send, known.get(send.roomId)))) return undefined;
  const now = new Date(clock.now());
  const rooms = new Map(
    [...known].map(([roomId, feed]) => [
      roomId,
      // The feed's own string: whoever follows the room compares with it for each event.
      new RoomTransaction(store, now, { roomId: feed?.roomId ?? roomId, lastSeq: feed?.head ?? 0, policy: feed?.policy.fork() }),
    ]),
  );
  try {
    const run = new SendRun(database, []);
    for (const work of sends) work.outcome = { result: await run.send(work.draft, rooms.get(work.roomId) as RoomTransaction) };
    const changed = [...rooms.values()];
    await appendToLogs(
      database,
      changed.flatMap((room) => room.eventRows),
      run.rows,
      changed.map((room) => room.head),
    );
    return changed;
  } catch (error) {
    if (error instanceof ParlorError) return undefined;
    if (!(error instanceof DatabaseError) || (error.kind !== "unique" && error.kind !== "fault")) throw error;
    if (error.constraint !== "messages_client_message_id") for (const feed of known.values()) feed?.outrun();
    return undefined;
  }
}

/** Whether memory cannot tell that a message with a key of the server's own making is not stored already (`sends.ts`). */
function mayBeRepeat(key: string, feed: RoomFeed): boolean {
  const made = madeWhen(key);
  return made !== undefined && (isRepeat(key) || made <= feed.repeatHeardAt);
}

function isKnown({ draft, inDoubt }: Send, feed: RoomFeed | undefined): boolean {
  if (inDoubt || !feed?.isCurrent || mayBeRepeat(draft.clientMessageId, feed)) return false;
  const { policy } = feed;
  return !policy.deleted && policy.rules.slowModeSeconds === 0 && policy.member(draft.caller.userId) !== undefined;
}
