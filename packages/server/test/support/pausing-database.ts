// A database in which a statement can be held back, for races that chance brings about too rarely.
import type { Database } from "../../src/ports/database.ts";

export interface Pause {
  /** Resolves when the statement has come; it is not carried out before it is let go. */
  readonly reached: Promise<void>;
  letGo(): void;
}

export interface PausingDatabase extends Database {
  /** Holds back the next statement by itself whose text matches. */
  pauseAt(statement: RegExp): Pause;
}

export function pausingDatabase(database: Database): PausingDatabase {
  let next: { readonly statement: RegExp; readonly reached: () => void; readonly released: Promise<void> } | undefined;
  return {
    query: async (sql, params) => {
      if (next?.statement.test(sql)) {
        const { reached, released } = next;
        next = undefined;
        reached();
        await released;
      }
      return database.query(sql, params);
    },
    transaction: (work) => database.transaction(work),
    connect: () => database.connect(),
    close: () => database.close(),
    pauseAt: (statement) => {
      const [reached, released] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      next = { statement, reached: reached.resolve, released: released.promise };
      return { reached: reached.promise, letGo: released.resolve };
    },
  };
}
