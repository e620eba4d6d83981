import type { Database } from "../../src/ports/database.ts";

/**
 * When a connection is lost, as the engine sees the statement: it never gets it; it has got it and may be at work on it; it has
 * carried it out, and nobody gets its answer.
 */
export const cuts = ["before", "during", "after"] as const;
export type Cut = (typeof cuts)[number];

export interface CutPlan {
  readonly statement: RegExp;
  readonly cut: Cut;
  readonly done: () => void;
}

/** A database whose connection can be lost where a test wants it to be. Calls after a loss wait until it is had again. */
export interface LossyDatabase extends AsyncDisposable {
  readonly database: Database;
  /** Loses the connection at the next statement whose text matches; resolves when it is lost. */
  cutAt(statement: RegExp, cut: Cut): Promise<void>;
  /** Loses all connections, now. */
  cut(): void;
}
