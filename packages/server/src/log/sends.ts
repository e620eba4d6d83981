import { hash } from "node:crypto";
import { Code, type Message, ParlorError, Reason } from "@parlor/contract";
import type { Caller } from "../domain/call.ts";
import { mayRead, requirePoster, type Standing, slowModeMs } from "../domain/permissions.ts";
import { familyOf, isRepeat, madeWhen, type Relatives, relativesOf } from "../domain/publication-key.ts";
import { exhausted, notExisting } from "../domain/refusals.ts";
import { findByIds, findByKeys, findMembers, findNewestOf, type Session } from "../store/log-statements.ts";
import { findMember, updateMember } from "../store/members.ts";
import type { MessageRow, StoredMessageRow } from "../store/messages.ts";
import type { RoomTransaction } from "./room-transaction.ts";
import { memberPolicy, messageMessage } from "./views.ts";

export interface SendDraft {
  /** The id that the message gets. */
  readonly id: string;
  readonly roomId: string;
  readonly caller: Pick<Caller, "userId" | "role">;
  readonly text: string;
  /** Empty when the author gave none. */
  readonly clientMessageId: string;
}

/** In the store, or about to be. */
type Sent = MessageRow | StoredMessageRow;

export interface SendResult {
  readonly row: MessageRow;
  readonly duplicate: boolean;
  /** As its event has it; left out for one that was stored before. */
  readonly message?: Message;
}

/** The sends of one transaction: what they need is read in two statements for all, and they are stored in one. */
export class SendRun {
  readonly #session: Session;
  readonly #drafts: readonly SendDraft[];
  /** Messages by key: those in the store and those of this run. */
  readonly #byKey = new Map<string, Sent>();
  /** By draft, messages in the store that may be the same one sent before under a key which its author does not know. */
  readonly #relatives = new Map<SendDraft, StoredMessageRow>();
  /** The newest of this run, by family of keys. */
  readonly #newest = new Map<string, MessageRow>();
  readonly #doubtful: readonly SendDraft[];
  /** By id, those of an earlier try that has succeeded after all. */
  readonly #stored = new Map<string, MessageRow>();
  /** The messages to store. */
  readonly rows: MessageRow[] = [];

  constructor(session: Session, sends: readonly { readonly draft: SendDraft; readonly inDoubt: boolean }[]) {
    this.#session = session;
    this.#drafts = sends.map((send) => send.draft);
    this.#doubtful = sends.filter((send) => send.inDoubt).map((send) => send.draft);
  }

  /** @throws ParlorError */
  async send(draft: SendDraft, room: RoomTransaction): Promise<SendResult> {
    const stored = this.#stored.get(draft.id);
    if (stored) return { row: stored, duplicate: false };
    const standing = await room.standing(draft.caller);
    if (!mayRead(standing)) throw notExisting();
    // A repeat is answered like the first time even where the author may no longer write: it asks what became of a message.
    const first = draft.clientMessageId === "" ? undefined : (this.#byKey.get(keyOf(draft)) ?? this.#relativeOf(draft));
    if (first) return repeatOf(first, draft);
    requirePoster(standing, room.now.getTime());
    await this.#slowDown(draft, room, standing);
    const sent = this.#append(draft, room);
    this.rows.push(sent.row);
    if (draft.clientMessageId !== "") this.#remember(draft, sent.row);
    return sent;
  }

  #remember(draft: SendDraft, row: MessageRow): void {
    this.#byKey.set(keyOf(draft), row);
    if (madeWhen(draft.clientMessageId) !== undefined) this.#newest.set(placeOf(draft) + familyOf(draft.clientMessageId), row);
  }

  #relativeOf(draft: SendDraft): Sent | undefined {
    const here = this.#newest.get(placeOf(draft) + familyOf(draft.clientMessageId));
    const relatives = here && relativesOf(draft.clientMessageId);
    const key = here?.client_message_id ?? "";
    return relatives && key >= relatives.low && (isRepeat(key) || !relatives.repeatsOnly) ? here : this.#relatives.get(draft);
  }

  #append(draft: SendDraft, room: RoomTransaction): SendResult {
    const row: MessageRow = {
      room_id: draft.roomId,
      seq: room.lastSeq + 1,
      id: draft.id,
      author_id: draft.caller.userId,
      text: draft.text,
      client_message_id: draft.clientMessageId === "" ? null : draft.clientMessageId,
      created_at: room.now,
      edited_at: null,
      deleted_at: null,
    };
    const message = messageMessage(row);
    room.append(draft.caller.userId, { case: "messageSent", value: { $typeName: "parlor.v1.MessageSent", message } });
    return { row, duplicate: false, message };
  }

  /** Reads the messages that were sent under the same keys, or under related ones, and those of an earlier try. */
  async findRepeats(): Promise<void> {
    await Promise.all([this.#findStored(), this.#findByKeys(), this.#findRelatives()]);
  }

  async #findStored(): Promise<void> {
    if (this.#doubtful.length === 0) return;
    for (const row of await findByIds(this.#session, this.#doubtful)) this.#stored.set(row.id, row);
  }

  async #findByKeys(): Promise<void> {
    const keys = this.#drafts.filter((draft) => draft.clientMessageId !== "").map((draft) => ({ ...draft, authorId: draft.caller.userId }));
    if (keys.length === 0) return;
    for (const row of await findByKeys(this.#session, keys))
      this.#byKey.set(`${row.room_id} ${row.author_id} ${row.client_message_id}`, row);
  }

  async #findRelatives(): Promise<void> {
    const drafts = this.#drafts.filter((draft) => relativesOf(draft.clientMessageId));
    if (drafts.length === 0) return;
    const ranges = drafts.map(({ roomId, caller, clientMessageId }) => {
      return { roomId, authorId: caller.userId, ...(relativesOf(clientMessageId) as Relatives) };
    });
    for (const { range, ...row } of await findNewestOf(this.#session, ranges)) this.#relatives.set(drafts[range] as SendDraft, row);
  }

  /** Reads the authors that memory does not know. */
  async findAuthors(rooms: ReadonlyMap<string, RoomTransaction>): Promise<void> {
    const unknown = new Map<string, SendDraft>();
    for (const draft of this.#drafts) {
      const room = rooms.get(draft.roomId);
      if (room?.exists && room.policy.member(draft.caller.userId) === undefined)
        unknown.set(`${draft.roomId} ${draft.caller.userId}`, draft);
    }
    if (unknown.size === 0) return;
    const pairs = [...unknown.values()];
    const found = await findMembers(
      this.#session,
      pairs.map((draft) => draft.roomId),
      pairs.map((draft) => draft.caller.userId),
    );
    const members = new Map(found.map((row) => [`${row.room_id} ${row.user_id}`, memberPolicy(row)]));
    for (const [key, draft] of unknown) rooms.get(draft.roomId)?.policy.learnCurrent(draft.caller.userId, members.get(key) ?? null);
  }

  async #slowDown(draft: SendDraft, room: RoomTransaction, standing: Standing): Promise<void> {
    const waitMs = slowModeMs(standing);
    if (waitMs === 0) return;
    const { userId } = draft.caller;
    const last = (await findMember(room.store, draft.roomId, userId))?.last_sent_at?.getTime() ?? 0;
    const remainingMs = last + waitMs - room.now.getTime();
    if (remainingMs > 0) throw exhausted(Reason.SLOW_MODE, `Slow mode: one message every ${waitMs / 1000} seconds.`, remainingMs);
    await updateMember(room.store, draft.roomId, userId, { last_sent_at: room.now });
  }
}

function repeatOf(first: Sent, { text }: SendDraft): SendResult {
  // What is stored may have been edited since.
  const isSame = "content_hash" in first ? hash("sha256", text, "buffer").equals(first.content_hash) : first.text === text;
  if (isSame) return { row: first, duplicate: true };
  const message = "This client_message_id was used for a message with another text.";
  const violations = [{ field: "client_message_id", description: "must be new for each message" }];
  throw new ParlorError(Code.ALREADY_EXISTS, Reason.CLIENT_MESSAGE_ID_REUSED, message, { violations });
}

function keyOf(draft: SendDraft): string {
  return placeOf(draft) + draft.clientMessageId;
}

/** Whose keys these are. */
function placeOf(draft: SendDraft): string {
  return `${draft.roomId} ${draft.caller.userId} `;
}
