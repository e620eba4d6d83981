import { Goodbye_Reason } from "@parlor/contract";
import { isCount, isId, isListOf, isRecord } from "../../domain/checks.ts";
import type { Bus } from "../../ports/bus.ts";
import { publishWord, subscribeWords } from "../../ports/words.ts";

const topic = "identities";

/** Sessions or API tokens that are no longer good: the named ones, or all of a person. */
export interface Ended {
  readonly sessionIds?: readonly string[];
  readonly userId?: string;
  readonly reason: Goodbye_Reason;
}

/** What nodes tell each other after it was committed. Without `reason` something else about the person changed, such as the role. */
export type Notice = Omit<Ended, "reason"> & { readonly reason?: Goodbye_Reason };

export interface NoticeHandlers {
  /** On this node and on the others. */
  noticed(notice: Notice): void;
  /** Notices of other nodes were lost. */
  lost(): void;
}

/** Carries notices to this node at once and to the others by the bus. */
export class Notices {
  readonly #bus: Bus;
  readonly #handlers: NoticeHandlers;
  readonly #unsubscribe: () => void;

  constructor(bus: Bus, handlers: NoticeHandlers) {
    this.#bus = bus;
    this.#handlers = handlers;
    const hear = (notice: Notice): void => handlers.noticed(notice);
    this.#unsubscribe = subscribeWords(bus, topic, isNotice, hear, () => handlers.lost());
  }

  send(notice: Notice): void {
    this.#handlers.noticed(notice);
    publishWord(this.#bus, topic, notice);
  }

  close(): void {
    this.#unsubscribe();
  }
}

function isNotice(value: unknown): value is Notice {
  if (!isRecord(value)) return false;
  const { sessionIds, userId, reason } = value;
  if (sessionIds !== undefined && !isListOf(sessionIds, isId)) return false;
  return (userId === undefined || isId(userId)) && (reason === undefined || (isCount(reason) && reason in Goodbye_Reason));
}
