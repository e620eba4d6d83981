import { Code, ParlorError, Reason } from "@parlor/contract";
import type { Work } from "./batch.ts";
import { Lane, type LaneOptions } from "./lane.ts";
import type { RoomTransaction } from "./room-transaction.ts";
import type { SendDraft, SendResult } from "./sends.ts";

export interface WriterOptions extends LaneOptions {
  /** Transactions at the same time, each for rooms of its own; not more than the database has sessions. */
  readonly lanes: number;
  /** Work waiting beyond this is refused. */
  readonly maxWaiting: number;
}

/**
 * The only way into the rooms' logs. What arrives while a transaction is in flight shares the next one. Whoever waits is
 * answered after COMMIT, in the order of arrival within a room, and after this node's feeds have taken the events.
 */
export class LogWriter {
  readonly #options: WriterOptions;
  readonly #lanes: readonly Lane[];

  constructor(options: WriterOptions) {
    this.#options = options;
    this.#lanes = Array.from({ length: options.lanes }, () => new Lane(options));
  }

  /** Sends a message. @throws ParlorError when the author may not, or the key was used for another text */
  async send(draft: SendDraft): Promise<SendResult> {
    return this.#holding(draft.roomId, () => this.#send(draft));
  }

  /**
   * Changes a room under its lock: `apply` checks the rules, stores the effect and appends the events. When it throws, nothing
   * of it is kept. It may be run again, in another transaction, when the database could not carry it out.
   * @throws ParlorError NOT_FOUND when there is no such room, and whatever `apply` throws
   */
  async change<R>(roomId: string, apply: (room: RoomTransaction) => Promise<R>): Promise<R> {
    return this.#holding(roomId, () => this.#change(roomId, apply));
  }

  /** Makes a room: `apply` inserts it and begins its log. */
  create<R>(roomId: string, apply: (room: RoomTransaction) => Promise<R>): Promise<R> {
    return this.#change(roomId, apply);
  }

  /** How much waits for its transaction to begin. */
  get waiting(): number {
    return this.#lanes.reduce((sum, lane) => sum + lane.waiting, 0);
  }

  /** Resolves when all that was accepted is answered. */
  async idle(): Promise<void> {
    await Promise.all(this.#lanes.map((lane) => lane.idle()));
  }

  #send(draft: SendDraft): Promise<SendResult> {
    return new Promise((resolve, reject) =>
      this.#add({ kind: "send", roomId: draft.roomId, draft, resolve, reject, ...this.#beginning(), outcome: undefined }),
    );
  }

  #change<R>(roomId: string, apply: (room: RoomTransaction) => Promise<R>): Promise<R> {
    return new Promise((resolve, reject) => {
      const answer = { resolve: resolve as (result: unknown) => void, reject, outcome: undefined };
      this.#add({ kind: "change", roomId, apply, ...this.#beginning(), ...answer });
    });
  }

  #beginning(): Pick<Work, "since" | "inDoubt" | "from"> {
    return { since: performance.now(), inDoubt: false, from: this.#options.tracing?.current() };
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
    if (this.waiting < this.#options.maxWaiting) this.#laneOf(work.roomId).add(work);
    else {
      const message = "The server has too much to store; try again.";
      work.reject(new ParlorError(Code.RESOURCE_EXHAUSTED, Reason.OVERLOADED, message, { retryAfterMs: 1000 }));
    }
  }

  /** Always the same one for a room: its order is kept, and no two lanes lock the same room. The end of a UUIDv7 is random. */
  #laneOf(roomId: string): Lane {
    return this.#lanes[Number.parseInt(roomId.slice(-8), 16) % this.#lanes.length] as Lane;
  }
}
