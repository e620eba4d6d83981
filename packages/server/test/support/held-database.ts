// A database whose answer to a commit can be held back, for races that chance brings about too rarely.
import type { Connection, Database } from "../../src/ports/database.ts";

/** The next commit: it takes effect, and nobody is told until it is released. */
export interface HeldCommit {
  /** Resolves when the database has carried it out. */
  readonly done: Promise<void>;
  release(): void;
}

export interface HeldDatabase extends Database {
  holdNextCommit(): HeldCommit;
}

interface Hold {
  readonly done: PromiseWithResolvers<void>;
  readonly released: PromiseWithResolvers<void>;
}

/** A statement that stores events by itself, and the end of a transaction that may have. */
const commits = /^commit|insert into room_events/i;

export function heldDatabase(database: Database): HeldDatabase {
  let next: Hold | undefined;
  const held = async <T>(sql: string, run: () => Promise<T>, inTransaction: boolean): Promise<T> => {
    const hold = next;
    if (!hold || !commits.test(sql) || (inTransaction && !sql.startsWith("commit"))) return run();
    next = undefined;
    const answer = await run();
    hold.done.resolve();
    await hold.released.promise;
    return answer;
  };
  const over = (connection: Connection): Connection => ({
    query: (sql, params) => held(sql, () => connection.query(sql, params), true),
    release: () => connection.release(),
  });
  return {
    query: (sql, params) => held(sql, () => database.query(sql, params), false),
    transaction: (work) => database.transaction((connection) => work(over(connection))),
    connect: async () => over(await database.connect()),
    close: () => database.close(),
    holdNextCommit: () => {
      const hold = { done: Promise.withResolvers<void>(), released: Promise.withResolvers<void>() };
      next = hold;
      return { done: hold.done.promise, release: () => hold.released.resolve() };
    },
  };
}
