import { isCount, isId, isRecord } from "../domain/checks.ts";
import type { RoomEvent } from "../domain/room-event.ts";
import type { Bus } from "../ports/bus.ts";
import { publishWord, subscribeWords } from "../ports/words.ts";

/** Something about one person that the nodes want to know where that person is connected. */
export type UserHint =
  /** The person is in a room since the event of this `seq`. */
  | { readonly kind: "entered"; readonly roomId: string; readonly seq: number }
  /** The person's read marker of a room moved. */
  | { readonly kind: "read"; readonly roomId: string; readonly seq: number };

export interface UserHintHandlers {
  hinted(userId: string, hint: UserHint): void;
  /** Hints about this person were lost. */
  lost(userId: string): void;
}

/** `seq` has 32 bits on the wire. */
const maxSeq = 0xffff_ffff;

/** Carries hints about a person to the nodes that listen for that person. */
export class UserHints {
  readonly #bus: Bus;

  constructor(bus: Bus) {
    this.#bus = bus;
  }

  /** Tells the other nodes. */
  send(userId: string, hint: UserHint): void {
    publishWord(this.#bus, topicOf(userId), hint);
  }

  /** Tells the other nodes who came into a room with these committed events: they may have nothing of the room in memory. */
  arrivals(roomId: string, events: readonly RoomEvent[]): void {
    for (const { event, seq } of events) {
      const { kind } = event;
      if (kind.case === "memberJoined" && kind.value.member) this.send(kind.value.member.userId, { kind: "entered", roomId, seq });
    }
  }

  /** Listens until the returned function is called. */
  listen(userId: string, handlers: UserHintHandlers): () => void {
    const hear = (hint: UserHint): void => handlers.hinted(userId, hint);
    return subscribeWords(this.#bus, topicOf(userId), isUserHint, hear, () => handlers.lost(userId));
  }
}

function isUserHint(value: unknown): value is UserHint {
  if (!isRecord(value)) return false;
  const { kind, roomId, seq } = value;
  return (kind === "entered" || kind === "read") && isId(roomId) && isCount(seq) && seq <= maxSeq;
}

function topicOf(userId: string): string {
  return `user:${userId}`;
}
