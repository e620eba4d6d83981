import type { Database } from "../ports/database.ts";

/** How often it is looked at (milliseconds). */
const everyMs = 5_000;

// The thresholds of PostgreSQL's autovacuum.
const due = `
  select quote_ident(relname) as name,
    n_dead_tup > 50 + 0.2 * n_live_tup or n_ins_since_vacuum > 1000 + 0.2 * n_live_tup as vacuum,
    n_mod_since_analyze > 50 + 0.1 * n_live_tup as analyze
  from pg_stat_user_tables
  where n_dead_tup > 50 + 0.2 * n_live_tup or n_ins_since_vacuum > 1000 + 0.2 * n_live_tup or n_mod_since_analyze > 50 + 0.1 * n_live_tup`;

interface Table {
  readonly name: string;
  readonly vacuum: boolean;
  readonly analyze: boolean;
}

/**
 * What PostgreSQL's autovacuum does, which PGlite has no process for: removes dead rows and gathers the statistics by which
 * statements are planned; without them, a statement that was planned on an empty table is slow for ever.
 */
export class PgliteUpkeep {
  readonly #database: Pick<Database, "query">;
  /** A number that grows with every write. */
  readonly #writes: () => number;
  readonly #timer: NodeJS.Timeout;
  #seen: number;
  #round: Promise<void> = Promise.resolve();

  constructor(database: Pick<Database, "query">, writes: () => number) {
    this.#database = database;
    this.#writes = writes;
    this.#seen = writes();
    this.#timer = setInterval(() => this.#turn(), everyMs);
    this.#timer.unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#round;
  }

  #turn(): void {
    const writes = this.#writes();
    if (writes === this.#seen) return;
    this.#seen = writes;
    // Whatever fails here fails for those who wait for an answer, too; they tell.
    this.#round = this.#round.then(() => this.#look()).catch(() => {});
  }

  async #look(): Promise<void> {
    const { rows } = await this.#database.query<Table>(due);
    for (const { name, vacuum, analyze } of rows)
      await this.#database.query(vacuum ? `vacuum (analyze ${analyze}) ${name}` : `analyze ${name}`);
  }
}
