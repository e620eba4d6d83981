import { Code, ParlorError, Reason } from "@parlor/contract";
import type { Clock } from "../ports/clock.ts";
import { type Database, DatabaseError } from "../ports/database.ts";
import type { Tracing } from "../ports/tracing.ts";
import { commitBatch, type Work } from "./batch.ts";
import type { Feeds } from "./feeds.ts";
import { commitFromMemory } from "./optimistic.ts";
import type { RoomTransaction } from "./room-transaction.ts";
import type { SendDraft, SendResult } from "./sends.ts";
import { traceCommit } from "./traced-commit.ts";

/** How often a transaction that collided with another is tried again. */
const attempts = 5;

/** Text per transaction (UTF-16 code units), beyond which the rest waits for the next one. */
const charactersPerBatch = 128 * 1024;

export interface WriterOptions {
  readonly database: Database;
  readonly feeds: Feeds;
  readonly clock: Clock;
  /** Sends and changes per transaction. */
  readonly maxBatch: number;
  /** Work waiting beyond this is refused. */
  readonly maxWaiting: number;
  /** Left out where traces are off. */
  readonly tracing?: Tracing | undefined;
  readonly committed: (batch: { readonly size: number; readonly durationMs: number }) => void;
}

/**
 * The only way into the rooms' logs. What arrives while a transaction is in flight shares the next one. Whoever waits is
 * answered after COMMIT, in the order of arrival, and after this node's feeds have taken the events.
 */
export class LogWriter {
  readonly #options: WriterOptions;
  readonly #waiting: Work[] = [];
  #running: Promise<void> | undefined;

  constructor(options: WriterOptions) {
    this.#options = options;
  }

  /** Sends a message. @throws ParlorError when the author may not, or the key was used for another text */
  async send(draft: SendDraft): Promise<SendResult> {
    return this.#holding(draft.roomId, () => this.#send(draft));
  }

  /**
   * Changes a room under its lock: `apply` checks the rules, stores the effect and appends the events. When it throws, nothing
   * of it is kept.
   * @throws ParlorError NOT_FOUND when there is no such room, and whatever `apply` throws
   */
  async change<R>(roomId: string, apply: (room: RoomTransaction) => Promise<R>): Promise<R> {
    return this.#holding(roomId, () => this.#change(roomId, apply));
  }

  /** Makes a room: `apply` inserts it and begins its log. */
  create<R>(roomId: string, apply: (room: RoomTransaction) => Promise<R>): Promise<R> {
    return this.#change(roomId, apply);
  }

  #send(draft: SendDraft): Promise<SendResult> {
    const from = this.#options.tracing?.current();
    return new Promise((resolve, reject) =>
      this.#add({ kind: "send", roomId: draft.roomId, draft, resolve, reject, from, outcome: undefined }),
    );
  }

  #change<R>(roomId: string, apply: (room: RoomTransaction) => Promise<R>): Promise<R> {
    const from = this.#options.tracing?.current();
    return new Promise((resolve, reject) =>
      this.#add({ kind: "change", roomId, apply, resolve: resolve as (result: unknown) => void, reject, from, outcome: undefined }),
    );
  }

  /** How much waits for its transaction to begin. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Resolves when all that was accepted is answered. */
  async idle(): Promise<void> {
    while (this.#running) await this.#running;
  }

  /** Keeps the room's feed in memory meanwhile, so that its observers hear of the commit. */
  async #holding<R>(roomId: string, work: () => Promise<R>): Promise<R> {
    const feed = this.#options.feeds.peek(roomId) ?? (await this.#options.feeds.get(roomId));
    this.#options.feeds.pin(feed);
    try {
      return await work();
    } finally {
      this.#options.feeds.unpin(feed);
    }
  }

  #add(work: Work): void {
    if (this.#waiting.length >= this.#options.maxWaiting) {
      work.reject(
        new ParlorError(Code.RESOURCE_EXHAUSTED, Reason.OVERLOADED, "The server has too much to store; try again.", { retryAfterMs: 1000 }),
      );
      return;
    }
    this.#waiting.push(work);
    this.#running ??= this.#begin();
  }

  /** Not before the end of this turn of the event loop: what it brings shares the transaction. */
  #begin(): Promise<void> {
    const begin = (): Promise<void> => new Promise<void>((resolve) => setImmediate(resolve)).then(() => this.#run());
    const { tracing } = this.#options;
    return tracing === undefined ? begin() : tracing.outside(begin);
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) await this.#commit(this.#waiting.splice(0, this.#batchSize()));
    this.#running = undefined;
  }

  /** As many as fit, in number and in text, so that what one commit brings to a reader fits into what may wait for it. */
  #batchSize(): number {
    let characters = 0;
    const limit = Math.min(this.#waiting.length, this.#options.maxBatch);
    for (let size = 0; size < limit; size++) {
      const work = this.#waiting[size] as Work;
      characters += work.kind === "send" ? work.draft.text.length : 0;
      if (characters > charactersPerBatch && size > 0) return size;
    }
    return limit;
  }

  #commit(batch: readonly Work[]): Promise<void> {
    const { tracing } = this.#options;
    return tracing === undefined ? this.#settle(batch) : traceCommit(tracing, batch, () => this.#settle(batch));
  }

  /** Never throws: whatever happens becomes somebody's answer. */
  async #settle(batch: readonly Work[]): Promise<void> {
    const start = performance.now();
    try {
      await this.#attempt(batch);
      this.#options.committed({ size: batch.length, durationMs: performance.now() - start });
    } catch (error) {
      if (batch.length > 1 && isOwnFault(error)) for (const work of batch) await this.#commit([work]);
      else for (const work of batch) work.reject(error);
    }
  }

  async #attempt(batch: readonly Work[]): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        const rooms = (await commitFromMemory(this.#options, batch)) ?? (await commitBatch(this.#options, batch));
        for (const room of rooms) this.#options.feeds.committed(room.roomId, room.events);
        for (const work of batch) answer(work);
        return;
      } catch (error) {
        if (!(error instanceof DatabaseError) || error.kind !== "retry" || attempt === attempts) throw error;
      }
    }
  }
}

/** Tells whoever waits what the transaction decided. */
function answer({ resolve, reject, outcome }: Work): void {
  if (outcome && "error" in outcome) reject(outcome.error);
  else resolve(outcome?.result as never);
}

/** Whether one piece of work may have spoilt the transaction for the others. */
function isOwnFault(error: unknown): boolean {
  return !(error instanceof DatabaseError) || !["unavailable", "unknown_outcome", "retry"].includes(error.kind);
}
