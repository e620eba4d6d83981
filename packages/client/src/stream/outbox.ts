import { ParlorError, type Reply } from "@parlor/contract";
import { brokenContract, bufferFull } from "../errors.ts";
import { type RetryWorld, retryDelay } from "../retry.ts";
import type { ClientFrameInit } from "./frames.ts";

/** The frames that are answered and may be repeated without harm. */
type Case = "send" | "markRead" | "setPresence";
type Kind<C extends Case> = Extract<NonNullable<ClientFrameInit["kind"]>, { case: C }>;
type Answer<C extends Case> = Extract<Reply["result"], { case: C }>["value"];

interface Entry {
  readonly lane: string;
  readonly kind: Kind<Case>;
  readonly resolve: (value: Answer<Case>) => void;
  readonly reject: (error: ParlorError) => void;
  /** Answers that told to try again. */
  refusals: number;
}

export type WriteFrame = (frame: ClientFrameInit) => void;

const MAX_ID = 0xffffffff;

/**
 * Frames that wait for their answer. What is in one lane is sent one after the other, so that its order holds whatever has to be
 * repeated; what had no answer when a connection ended is sent again over the next one. Each is settled exactly once.
 */
export class Outbox {
  readonly #limit: number;
  readonly #world: RetryWorld;
  readonly #lanes = new Map<string, Entry[]>();
  readonly #inFlight = new Map<number, Entry>();
  readonly #pauses = new Map<Entry, () => void>();
  #write: WriteFrame | undefined;
  #size = 0;
  #lastId = 0;

  constructor(limit: number, world: RetryWorld) {
    this.#limit = limit;
    this.#world = world;
  }

  /** Frames that have not been answered. */
  get size(): number {
    return this.#size;
  }

  /** @throws ParlorError the server's refusal; RESOURCE_EXHAUSTED when the outbox is full; whatever `rejectAll` is given */
  submit<C extends Case>(lane: string, kind: Kind<C>): Promise<Answer<C>> {
    if (this.#size >= this.#limit) return Promise.reject(bufferFull(`${this.#limit} frames wait for an answer already.`));
    return new Promise((resolve, reject) => {
      const entry: Entry = { lane, kind, resolve: resolve as Entry["resolve"], reject, refusals: 0 };
      const queue = this.#lanes.get(lane) ?? [];
      queue.push(entry);
      this.#lanes.set(lane, queue);
      this.#size += 1;
      if (queue.length === 1) this.#transmit(entry);
    });
  }

  /** A connection is open: the first of every lane goes out. */
  begin(write: WriteFrame): void {
    this.#write = write;
    for (const [first] of [...this.#lanes.values()]) if (first !== undefined) this.#transmit(first);
  }

  /** The connection is gone: everything waits for the next one. */
  suspend(): void {
    this.#write = undefined;
    this.#inFlight.clear();
    for (const cancel of this.#pauses.values()) cancel();
    this.#pauses.clear();
  }

  /** An answer came. One that nothing waits for is left aside. */
  settle({ id, result }: Reply): void {
    const entry = this.#inFlight.get(id);
    if (entry === undefined) return;
    this.#inFlight.delete(id);
    if (result.case === "error") this.#refused(entry, ParlorError.fromWire(result.value));
    else if (result.case === entry.kind.case) this.#finish(entry, () => entry.resolve(result.value as Answer<Case>));
    else this.#finish(entry, () => entry.reject(brokenContract("The server answered with something else.")));
  }

  rejectAll(error: ParlorError): void {
    this.suspend();
    const entries = [...this.#lanes.values()].flat();
    this.#lanes.clear();
    this.#size = 0;
    for (const entry of entries) entry.reject(error);
  }

  #transmit(entry: Entry): void {
    if (this.#write === undefined) return;
    this.#lastId = this.#lastId === MAX_ID ? 1 : this.#lastId + 1;
    this.#inFlight.set(this.#lastId, entry);
    try {
      this.#write({ id: this.#lastId, kind: entry.kind });
    } catch (error) {
      this.#inFlight.delete(this.#lastId);
      this.#finish(entry, () => entry.reject(error as ParlorError));
    }
  }

  #refused(entry: Entry, error: ParlorError): void {
    entry.refusals += 1;
    const wait = retryDelay(error, entry.refusals, this.#world.random);
    if (wait === undefined) this.#finish(entry, () => entry.reject(error));
    else this.#pause(entry, wait);
  }

  #pause(entry: Entry, ms: number): void {
    const again = (): void => {
      this.#pauses.delete(entry);
      this.#transmit(entry);
    };
    this.#pauses.set(entry, this.#world.clock.after(ms, again));
  }

  #finish(entry: Entry, settle: () => void): void {
    const queue = this.#lanes.get(entry.lane) as Entry[];
    queue.shift();
    this.#size -= 1;
    const [next] = queue;
    if (next === undefined) this.#lanes.delete(entry.lane);
    settle();
    if (next !== undefined) this.#transmit(next);
  }
}
