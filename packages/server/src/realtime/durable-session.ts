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
  readonly encoding: "json" | "protobuf";
}

/** What is kept of a session while its client is away. */
export interface StoredSession {
  readonly subscriptions: readonly StoredSubscription[];
  /** By room. */
  readonly cursors: ReadonlyMap<string, SessionCursor>;
  /** What its client published and was stored before is known to be acknowledged (milliseconds since 1970). */
  readonly settledAt: number;
}

/** Whose session it is to be. */
export interface SessionClaim extends SessionKey {
  /** Ids sort by age: of two connections made at the same time the one with the greater id has the session. */
  readonly connectionId: string;
  readonly cleanStart: boolean;
  /** How long the session is to outlive the connection (seconds); Infinity for ever, 0 for not at all. */
  readonly expirySeconds: number;
}

/** A connection, as far as its session is concerned. */
export interface SessionOwner {
  /** Where it is in each room, now. */
  cursors(): Iterable<readonly [string, SessionCursor]>;
  /** What was stored before is known to be acknowledged (milliseconds since 1970). */
  readonly settledAt: number;
  /** Another connection has the session now. */
  takenOver(): void;
}

/** What an open connection does with its session. Nothing has an effect once the session is another's. */
export interface SessionHold {
  /** What was left of it; undefined for a new one. */
  readonly stored: StoredSession | undefined;
  /** How long it will be kept, which may be less than was asked for (seconds). */
  readonly expirySeconds: number;
  /** Keeps all subscriptions as they are now, and the cursors; resolves when they are stored. */
  subscribed(subscriptions: readonly StoredSubscription[]): Promise<void>;
  /** The same after some were ended, with the rooms whose cursors are not needed any more. */
  unsubscribed(subscriptions: readonly StoredSubscription[], roomIds: readonly string[]): Promise<void>;
  /** The cursor of a room moved, or `settledAt` when none is named: stored within a second. */
  moved(roomId?: string): void;
  /** The connection is over, and the session is kept for so long (seconds). */
  leave(expirySeconds: number): Promise<void>;
}

/** The sessions that outlive their connections. */
export interface DurableSessions {
  /**
   * Makes a session a connection's. Whoever has it, on whichever node, is told.
   * @throws ParlorError RESOURCE_EXHAUSTED when the person has too many sessions
   */
  claim(claim: SessionClaim, owner: SessionOwner): Promise<SessionHold>;
}
