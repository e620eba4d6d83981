import { setTimeout as sleep } from "node:timers/promises";
import { DatabaseError, isOutage } from "../ports/database.ts";
import type { Tracing } from "../ports/tracing.ts";
import { type BatchContext, commitBatch, type Work } from "./batch.ts";
import { CommitInDoubt, didCommit } from "./doubt.ts";
import { commitFromMemory } from "./optimistic.ts";
import type { RoomTransaction } from "./room-transaction.ts";
import { traceCommit } from "./traced-commit.ts";

/** How often a transaction that collided with another is tried again. */
const attempts = 5;

/** Text per transaction (UTF-16 code units), beyond which the rest waits for the next one. */
const charactersPerBatch = 128 * 1024;

/** How long work waits for a database that is away (milliseconds). */
const patienceMs = 10_000;
/** The same for what may have been stored: whether it was is a better answer than a failure. */
const patienceInDoubtMs = 60_000;

export interface LaneOptions extends BatchContext {
  /** Sends and changes per transaction. */
  readonly maxBatch: number;
  /** Left out where traces are off. */
  readonly tracing?: Tracing | undefined;
  readonly committed: (batch: { readonly size: number; readonly durationMs: number }) => void;
  readonly reportFault: (error: unknown) => void;
}

/**
 * Work that is carried out one transaction after the other, in the order of its arrival. While the database is away, work stays
 * in its place, and is tried again at growing intervals until somebody has waited too long.
 */
export class Lane {
  readonly #options: LaneOptions;
  readonly #waiting: Work[] = [];
  /** How many of the first that wait are tried one by one: among them is one that spoilt a transaction. */
  #alone = 0;
  /** How often in a row the database was away. */
  #failures = 0;
  #running: Promise<void> | undefined;
  /** What arrives before it resolves shares the next transaction. */
  #turn = Promise.resolve();

  constructor(options: LaneOptions) {
    this.#options = options;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  add(work: Work): void {
    this.#waiting.push(work);
    this.#running ??= this.#begin();
  }

  /** Resolves when all that was accepted is answered. */
  async idle(): Promise<void> {
    while (this.#running) await this.#running;
  }

  #begin(): Promise<void> {
    const { tracing } = this.#options;
    this.#turn = endOfTurn();
    return tracing === undefined ? this.#run() : tracing.outside(() => this.#run());
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      await this.#turn;
      await this.#commit(this.#waiting.splice(0, this.#batchSize()));
    }
    this.#running = undefined;
  }

  /** As many as fit, in number and in text, so that what one commit brings to a reader fits into what may wait for it. */
  #batchSize(): number {
    if (this.#alone > 0) return this.#alone-- && 1;
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

  /** Never throws: whatever happens becomes somebody's answer, or is tried again. */
  async #settle(batch: readonly Work[]): Promise<void> {
    const start = performance.now();
    try {
      const rooms = await this.#attempt(batch);
      // Before the readers have their turn: while they are written to, the database has work.
      this.#turn = endOfTurn();
      for (const roomId of new Set(batch.filter((work) => work.inDoubt).map((work) => work.roomId))) await this.#recover(roomId);
      for (const room of rooms) this.#options.feeds.committed(room.roomId, room.events);
      for (const work of batch) answer(work);
      this.#failures = 0;
      this.#options.committed({ size: batch.length, durationMs: performance.now() - start });
    } catch (error) {
      if (isOutage(error)) await this.#postpone(batch, error);
      else if (batch.length > 1 && !isCollision(error)) this.#separate(batch);
      else for (const work of batch) work.reject(error);
    }
  }

  async #attempt(batch: readonly Work[]): Promise<readonly RoomTransaction[]> {
    for (let attempt = 1; ; attempt++) {
      try {
        return (await commitFromMemory(this.#options, batch)) ?? (await commitBatch(this.#options, batch));
      } catch (error) {
        if (error instanceof CommitInDoubt) return this.#resolve(error, batch);
        if (!isCollision(error) || attempt === attempts) throw error;
        await sleep(Math.random() * 10 * attempt);
      }
    }
  }

  /** Asks until the database knows: what is stored is answered as stored, what is not is tried again. */
  async #resolve(doubt: CommitInDoubt, batch: readonly Work[]): Promise<readonly RoomTransaction[]> {
    const until = performance.now() + patienceInDoubtMs;
    while (performance.now() < until) {
      const committed = await didCommit(this.#options.database, doubt).catch((error: unknown) => {
        if (!isOutage(error)) throw error;
        return undefined;
      });
      if (committed === true) return doubt.rooms;
      if (committed === false) throw new DatabaseError("unavailable", doubt.message, { cause: doubt });
      await this.#pause();
    }
    for (const work of batch) work.inDoubt = true;
    throw doubt.cause;
  }

  /** What was found in the Store afterwards was never told. */
  async #recover(roomId: string): Promise<void> {
    await this.#options.feeds.recover(roomId).catch(this.#options.reportFault);
  }

  #separate(batch: readonly Work[]): void {
    this.#waiting.unshift(...batch);
    this.#alone += batch.length;
  }

  /** Puts the batch back to where it was, lets those go who have waited too long, and waits a little. */
  async #postpone(batch: readonly Work[], error: DatabaseError): Promise<void> {
    // A send by itself may have been stored: the next try looks for it. A change is always in a transaction that is asked for.
    if (error.kind === "unknown_outcome") for (const work of batch) work.inDoubt = true;
    const now = performance.now();
    for (const work of [...batch, ...this.#waiting.splice(0)]) {
      if (now - work.since < (work.inDoubt ? patienceInDoubtMs : patienceMs)) this.#waiting.push(work);
      else work.reject(error);
    }
    if (this.#waiting.length > 0) await this.#pause();
  }

  /** Longer each time, up to a second; at random, so that the lanes of many nodes do not come back at one moment. */
  #pause(): Promise<void> {
    const longest = Math.min(1000, 50 * 2 ** this.#failures++);
    return sleep(longest * (0.5 + Math.random() / 2));
  }
}

/** Resolves when this turn of the event loop has brought what it brings. */
function endOfTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Tells whoever waits what the transaction decided. */
function answer({ resolve, reject, outcome }: Work): void {
  if (outcome && "error" in outcome) reject(outcome.error);
  else resolve(outcome?.result as never);
}

function isCollision(error: unknown): boolean {
  return error instanceof DatabaseError && error.kind === "retry";
}
