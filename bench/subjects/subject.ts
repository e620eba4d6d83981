import type { Door } from "../generator/protocol.ts";

/** Where a subject may put its files. */
export interface Place {
  /** A folder for this run, removed at its end. */
  readonly scratch: string;
  /** The cores that servers may use, as taskset takes them; one of their own when left out. */
  readonly cores?: string;
}

/** A server that is measured. */
export interface Subject {
  /** Unique; the name in tables, results and on the command line. */
  readonly name: string;
  /** What it does with a message, in a few words, for the table. */
  readonly does: string;
  /** The client that the generator uses for it. */
  readonly protocol: string;
  /** Why it cannot be measured on this machine; undefined when it can. */
  missing(): string | undefined;
  version(): string;
  /** Starts it, on its core, with a room that so many listeners and one publisher can join. */
  start(place: Place, listeners: number): Promise<Running>;
}

/** A server under measurement. */
export interface Running extends AsyncDisposable {
  /** Its processes, its database's included, without their descendants. */
  readonly pids: readonly number[];
  /** Those of them that are Redis, where there is one. */
  readonly redisPids?: readonly number[];
  readonly door: Door;
  /** How it was started, for the record. */
  readonly command: string;
}
