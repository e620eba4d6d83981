/**
 * A prepared statement is planned once. By itself PostgreSQL would plan most of ours anew each time, since a plan for any room looks
 * as dear to it as all partitions together, of which it will open one; that took up to five times as long as the statement.
 */
export const PLAN_CACHE_MODE = "force_generic_plan";

/** Prepared at the second use, so that texts made for one call do not fill the server's memory. */
const MAX_PREPARED = 512;
const MAX_SEEN = 2048;

/** The names of one session's prepared statements, by their text. */
export class PreparedStatements {
  readonly #names = new Map<string, string>();
  readonly #seen = new Set<string>();
  #next = 1;

  /** The name to prepare the statement under, or undefined to send it unprepared. */
  nameOf(sql: string): string | undefined {
    const name = this.#names.get(sql);
    if (name !== undefined || this.#names.size >= MAX_PREPARED) return name;
    if (!this.#seen.delete(sql)) {
      this.#remember(sql);
      return undefined;
    }
    return this.#prepare(sql);
  }

  /** Makes the next use prepare the statement anew. */
  forget(sql: string): void {
    if (this.#names.delete(sql)) this.#remember(sql);
  }

  #remember(sql: string): void {
    if (this.#seen.size >= MAX_SEEN) this.#seen.clear();
    this.#seen.add(sql);
  }

  #prepare(sql: string): string {
    const name = `parlor_${this.#next++}`;
    this.#names.set(sql, name);
    return name;
  }
}
