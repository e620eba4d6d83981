import type { HeldSession } from "../store/mqtt-sessions.ts";
import type { SessionHold, SessionOwner, StoredSession, StoredSubscription } from "./durable-session.ts";
import type { SessionState } from "./session-store.ts";

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
  /** Rooms whose cursors moved since they were stored; made when one does, as most sessions are not stored. */
  #moves: Set<string> | undefined;
  readonly #keeper: SessionKeeper;
  /** Rooms whose cursors are in the Store, or on their way there. */
  #begun: Set<string> | undefined;

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
    if (this.isStored) this.#begin();
    return this.#keeper.subscribed(this, subscriptions, []);
  }

  unsubscribed(subscriptions: readonly StoredSubscription[], roomIds: readonly string[]): Promise<void> {
    for (const roomId of roomIds) this.#begun?.delete(roomId);
    return this.#keeper.subscribed(this, subscriptions, roomIds);
  }

  moved(roomId?: string): void {
    if (!this.isStored) return;
    if (roomId !== undefined) this.note(roomId);
    this.#keeper.moved(this);
  }

  /** The cursor of a room is to be stored. */
  note(roomId: string): void {
    this.#moves ??= new Set();
    this.#moves.add(roomId);
  }

  /** The rooms whose cursors are to be stored; taken once. */
  takeMoves(): ReadonlySet<string> | undefined {
    const moves = this.#moves;
    this.#moves = undefined;
    return moves;
  }

  /** The connection ends: what it was sent is to be stored, too. */
  last(): this {
    for (const [roomId, { acked, sent }] of this.owner.cursors()) if (sent > acked) this.note(roomId);
    return this;
  }

  leave(expirySeconds: number): Promise<void> {
    return this.#keeper.leave(this, expirySeconds);
  }

  #begin(): void {
    for (const [roomId] of this.owner.cursors()) if (!this.#begun?.has(roomId)) this.note(roomId);
    this.#begun ??= new Set();
    for (const roomId of this.#moves ?? []) this.#begun.add(roomId);
  }
}

/** What of a session is to be stored; taken once. */
export function takeState(hold: Hold): SessionState {
  const { held, owner } = hold;
  const moves = hold.takeMoves();
  const moved = moves ? [...owner.cursors()].filter(([roomId]) => moves.has(roomId)) : [];
  return { held, settledAt: owner.settledAt, cursors: new Map(moved) };
}
