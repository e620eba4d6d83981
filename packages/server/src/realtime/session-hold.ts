import type { HeldCursor, HeldSession } from "../store/mqtt-sessions.ts";
import type { SessionHold, SessionOwner, StoredSession, StoredSubscription } from "./durable-session.ts";

/** Who stores what becomes of sessions. */
export interface SessionKeeper {
  /** All subscriptions, as they are now; and the rooms whose cursors are not needed any more. */
  subscribed(hold: Hold, subscriptions: readonly StoredSubscription[], roomIds: readonly string[]): Promise<void>;
  moved(hold: Hold): void;
  leave(hold: Hold, expirySeconds: number): Promise<void>;
}

/** A session that a connection of this node has. */
export class Hold implements SessionHold {
  readonly held: HeldSession;
  readonly stored: StoredSession | undefined;
  readonly expirySeconds: number;
  readonly owner: SessionOwner;
  /** Rooms whose cursors moved since they were stored. */
  moves = new Set<string>();
  readonly #keeper: SessionKeeper;
  /** Rooms whose cursors are in the Store, or on their way there. */
  readonly #begun = new Set<string>();

  constructor(keeper: SessionKeeper, held: HeldSession, owner: SessionOwner, stored: StoredSession | undefined, expirySeconds: number) {
    this.#keeper = keeper;
    this.held = held;
    this.owner = owner;
    this.stored = stored;
    this.expirySeconds = expirySeconds;
  }

  /** A session that ends with its connection is not in the Store. */
  get isStored(): boolean {
    return this.held.epoch > 0;
  }

  subscribed(subscriptions: readonly StoredSubscription[]): Promise<void> {
    for (const [roomId] of this.owner.cursors()) if (!this.#begun.has(roomId)) this.moves.add(roomId);
    for (const roomId of this.moves) this.#begun.add(roomId);
    return this.#keeper.subscribed(this, subscriptions, []);
  }

  unsubscribed(subscriptions: readonly StoredSubscription[], roomIds: readonly string[]): Promise<void> {
    for (const roomId of roomIds) this.#begun.delete(roomId);
    return this.#keeper.subscribed(this, subscriptions, roomIds);
  }

  moved(roomId?: string): void {
    if (!this.isStored) return;
    if (roomId !== undefined) this.moves.add(roomId);
    this.#keeper.moved(this);
  }

  /** The connection ends: what it was sent is to be stored, too. */
  last(): this {
    for (const [roomId, { acked, sent }] of this.owner.cursors()) if (sent > acked) this.moves.add(roomId);
    return this;
  }

  leave(expirySeconds: number): Promise<void> {
    return this.#keeper.leave(this, expirySeconds);
  }
}

/** What of a session is to be stored; taken once. */
export function movedCursors(hold: Hold): HeldCursor[] {
  const { held, owner, moves } = hold;
  hold.moves = new Set();
  return [...owner.cursors()].flatMap(([roomId, { acked, sent }]) => (moves.has(roomId) ? [{ ...held, roomId, acked, sent }] : []));
}
