import type { Encoding } from "./subscriptions.ts";

/** A session is its user's: another user's client id is another session. */
export interface SessionKey {
  readonly userId: string;
  readonly clientId: string;
}

/** How far a session is in a room's log: what it has acknowledged, and what it may have been sent. */
export interface SessionCursor {
  readonly acked: number;
  readonly sent: number;
}

export interface StoredSubscription {
  readonly filter: string;
  readonly qos: 0 | 1;
  readonly encoding: Encoding;
}

/** What is kept of a session while its client is away. */
export interface StoredSession {
  readonly subscriptions: readonly StoredSubscription[];
  /** By room. */
  readonly cursors: ReadonlyMap<string, SessionCursor>;
}

/** Whose session it is now. */
export interface SessionClaim extends SessionKey {
  /** Of two connections the one with the greater id came later, and has the session. */
  readonly connectionId: string;
  readonly cleanStart: boolean;
  /** How long the session outlives the connection (seconds); Infinity for ever, 0 for not at all. */
  readonly expirySeconds: number;
}

/** What an open connection does with its session. Every method is a no-op once the session is another's. */
export interface SessionHold {
  /** What was left of it; undefined for a new one. */
  readonly stored: StoredSession | undefined;
  /** How long it will be kept, which may be less than was asked for (seconds). */
  readonly expirySeconds: number;
  /** Keeps subscriptions that were granted, and where they begin; resolves when they are stored. */
  subscribe(subscriptions: readonly StoredSubscription[], cursors: ReadonlyMap<string, SessionCursor>): Promise<void>;
  /** Forgets subscriptions, and the cursors of rooms to which none is left. */
  unsubscribe(filters: readonly string[], roomIds: readonly string[]): Promise<void>;
  /** The cursor of a room moved: stored within a second. */
  moved(roomId: string): void;
  /** The connection is over, and the session is kept for so long (seconds). */
  leave(expirySeconds: number): Promise<void>;
}

/** For a node that keeps nothing of a session: each ends with its connection. */
export const transientSessions: Sessions = {
  async claim(): Promise<SessionHold> {
    const done = (): Promise<void> => Promise.resolve();
    return { stored: undefined, expirySeconds: 0, subscribe: done, unsubscribe: done, leave: done, moved() {} };
  },
};

/** The sessions of this node's connections. */
export interface Sessions {
  /**
   * Makes a session a connection's. Whoever has it, on whichever node, is told by `takenOver`.
   * @param cursors where the connection is, read when its cursors are stored
   * @throws ParlorError RESOURCE_EXHAUSTED when the user has too many sessions
   */
  claim(
    claim: SessionClaim,
    connection: { readonly cursors: () => Iterable<readonly [string, SessionCursor]>; readonly takenOver: () => void },
  ): Promise<SessionHold>;
}
