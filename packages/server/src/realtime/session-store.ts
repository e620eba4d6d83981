import type { HeldSession } from "../store/mqtt-sessions.ts";
import type { SessionCursor, SessionKey, StoredSession, StoredSubscription } from "./durable-session.ts";

/** A session that a connection wants. */
export interface SessionWish extends SessionKey {
  readonly cleanStart: boolean;
  /** How long it is to outlive the connection (seconds); 0 for not at all. */
  readonly keptSeconds: number;
  /** Of a new one (milliseconds since 1970). */
  readonly settledAt: number;
}

export interface TakenSession {
  /** Greater than any before it; 0 when nothing of the session is kept. */
  readonly epoch: number;
  /** What was there before; undefined for a new one. */
  readonly stored: StoredSession | undefined;
}

/** A held session, with what is to be stored of it. */
export interface SessionState {
  readonly held: HeldSession;
  /** What its client published and was stored before is known to be acknowledged (milliseconds since 1970). */
  readonly settledAt: number;
  /** By room; those that moved. */
  readonly cursors: ReadonlyMap<string, SessionCursor>;
}

/**
 * Where sessions are kept while their clients are away: in the Store, or by way of the process that has it. Whoever takes a
 * session gets a new epoch, and nothing that comes with an older one has an effect. Every call may be repeated.
 */
export interface SessionStore {
  /** @throws ParlorError RESOURCE_EXHAUSTED when the person has too many sessions */
  take(wish: SessionWish): Promise<TakenSession>;
  /** Keeps all subscriptions as they are now, and forgets the cursors of some rooms; false when the session is another's. */
  subscribe(held: HeldSession, subscriptions: readonly StoredSubscription[], endedRoomIds: readonly string[]): Promise<boolean>;
  /** Moves cursors forward, and says that the sessions are connected; for each, whether it still is its connection's. */
  save(states: readonly SessionState[]): Promise<readonly boolean[]>;
  /** The connection is over, and the session is kept for so long (seconds); 0 for not at all. */
  leave(state: SessionState, keptSeconds: number): Promise<void>;
}
