import type { Kysely } from "kysely";
import { BoundedMap } from "../../domain/bounded-map.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Schema } from "../../store/schema.ts";
import { findStandings, type StandingRow } from "../../store/sessions.ts";

const freshMs = 5000;
const most = 20_000;

interface Entry {
  readonly row: StandingRow;
  readonly readAt: number;
}

/** A statement under way, and what was dropped since it began: it may have read what was there before. */
interface Read {
  readonly sessions: Set<string>;
  readonly owners: Set<string>;
  everything: boolean;
}

/**
 * Sessions and their owners as the Store had them at most 5 s ago, so that a call costs no statement. What this node knows to
 * have changed is dropped at once, and what other nodes tell.
 */
export class Standings {
  readonly #store: Kysely<Schema>;
  readonly #clock: Clock;
  readonly #entries = new BoundedMap<string, Entry>(most);
  /** Single reads under way, which all who ask for the same share. */
  readonly #single = new Map<string, Promise<StandingRow | undefined>>();
  readonly #reads = new Set<Read>();

  constructor(store: Kysely<Schema>, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  async get(sessionId: string, fresh = false): Promise<StandingRow | undefined> {
    const entry = fresh ? undefined : this.#entries.get(sessionId);
    const age = entry ? this.#clock.now() - entry.readAt : Infinity;
    if (entry && age >= 0 && age < freshMs) return entry.row;
    return this.#single.get(sessionId) ?? this.#readOne(sessionId);
  }

  /** As they are in the Store now, by their ids; those that do not exist are left out. */
  async readAll(sessionIds: readonly string[]): Promise<ReadonlyMap<string, StandingRow>> {
    if (sessionIds.length === 0) return new Map();
    const read: Read = { sessions: new Set(), owners: new Set(), everything: false };
    const readAt = this.#clock.now();
    this.#reads.add(read);
    const rows = await findStandings(this.#store, sessionIds).finally(() => this.#reads.delete(read));
    const stale = rows.filter((row) => read.everything || read.sessions.has(row.id) || read.owners.has(row.user_id));
    const found = new Map(rows.map((row) => [row.id, row]));
    for (const row of stale) found.delete(row.id);
    for (const row of found.values()) this.#entries.set(row.id, { row, readAt });
    for (const [id, row] of await this.readAll(stale.map((row) => row.id))) found.set(id, row);
    return found;
  }

  drop(sessionIds: readonly string[]): void {
    for (const id of sessionIds) this.#entries.delete(id);
    for (const read of this.#reads) for (const id of sessionIds) read.sessions.add(id);
  }

  dropOwner(userId: string): void {
    for (const { row } of [...this.#entries.values()]) if (row.user_id === userId) this.#entries.delete(row.id);
    for (const read of this.#reads) read.owners.add(userId);
  }

  clear(): void {
    this.#entries.clear();
    for (const read of this.#reads) read.everything = true;
  }

  #readOne(sessionId: string): Promise<StandingRow | undefined> {
    const reading = this.readAll([sessionId])
      .then((rows) => rows.get(sessionId))
      .finally(() => this.#single.delete(sessionId));
    this.#single.set(sessionId, reading);
    return reading;
  }
}
