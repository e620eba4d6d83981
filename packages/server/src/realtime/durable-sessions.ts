import type { Bus } from "../ports/bus.ts";
import { type HeldSession, seenWithinSeconds } from "../store/mqtt-sessions.ts";
import type { DurableSessions, SessionClaim, SessionHold, SessionOwner, StoredSubscription } from "./durable-session.ts";
import { Hold, type SessionKeeper, takeState } from "./session-hold.ts";
import { SessionOwners } from "./session-owners.ts";
import type { SessionState, SessionStore } from "./session-store.ts";

export interface StoredSessionsOptions {
  readonly sessions: SessionStore;
  readonly bus: Bus;
  /** How long a session is kept at most without its client (seconds). */
  readonly longestSeconds: number;
  /** Whether the bus tells when a connection elsewhere takes a session. */
  readonly isTold: boolean;
  readonly reportFault: (error: unknown) => void;
}

/** How late a cursor that moved is stored (milliseconds): after a crash, so much is sent again. */
const saveMs = 1000;
/** How often it is said of connected sessions that they are, whose cursors need not have moved (milliseconds). */
const heartbeatMs = (seenWithinSeconds * 1000) / 3;
/** The same where this alone tells whose session is another's now. */
const untoldMs = 5000;

/** The sessions of this node's connections. What a client has acknowledged is stored soon, and for many at once. */
export class StoredSessions implements DurableSessions, SessionKeeper {
  readonly #options: StoredSessionsOptions;
  readonly #owners: SessionOwners;
  readonly #holds = new Map<SessionOwner, Hold>();
  #moved = new Set<Hold>();
  readonly #leaving = new Map<Promise<void>, HeldSession>();
  #saving: NodeJS.Timeout | undefined;
  readonly #heartbeat: NodeJS.Timeout;

  constructor(options: StoredSessionsOptions) {
    this.#options = options;
    this.#owners = new SessionOwners(options.bus);
    const beat = (): void => void this.#save([...this.#holds.values()]).catch(options.reportFault);
    this.#heartbeat = setInterval(beat, options.isTold ? heartbeatMs : untoldMs).unref();
  }

  async claim(claim: SessionClaim, owner: SessionOwner): Promise<SessionHold> {
    const before = this.#owners.of(claim);
    // What the connection before it has acknowledged is this one's beginning.
    const hold = before && this.#holds.get(before);
    this.#owners.take(claim, owner);
    try {
      if (hold) await this.#save([hold.last()]);
      await this.#left(claim);
      return await this.#take(claim, owner);
    } catch (error) {
      this.#owners.release(claim, owner);
      throw error;
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#heartbeat);
    clearTimeout(this.#saving);
    this.#owners.close();
    await Promise.all(this.#leaving.keys());
    await this.#save([...this.#moved]);
  }

  // What holds do.

  moved(hold: Hold): void {
    this.#moved.add(hold);
    this.#saving ??= setTimeout(() => {
      this.#saving = undefined;
      const moved = [...this.#moved];
      this.#moved = new Set();
      void this.#save(moved).catch(this.#options.reportFault);
    }, saveMs).unref();
  }

  async subscribed(hold: Hold, subscriptions: readonly StoredSubscription[], roomIds: readonly string[]): Promise<void> {
    if (!hold.isStored) return;
    if (await this.#options.sessions.subscribe(hold.held, subscriptions, roomIds)) await this.#save([hold]);
    else hold.owner.takenOver();
  }

  async leave(hold: Hold, expirySeconds: number): Promise<void> {
    this.#moved.delete(hold);
    this.#holds.delete(hold.owner);
    this.#owners.release(hold.held, hold.owner);
    if (!hold.isStored) return;
    const leaving = this.#options.sessions
      .leave(takeState(hold.last()), this.#kept(expirySeconds))
      .catch(this.#options.reportFault)
      .finally(() => this.#leaving.delete(leaving));
    this.#leaving.set(leaving, hold.held);
    await leaving;
  }

  /** What a connection that has just ended was sent must be known to the next one. */
  async #left({ userId, clientId }: SessionClaim): Promise<void> {
    const same = [...this.#leaving].filter(([, held]) => held.userId === userId && held.clientId === clientId);
    await Promise.all(same.map(([leaving]) => leaving));
  }

  async #take({ userId, clientId, cleanStart, expirySeconds }: SessionClaim, owner: SessionOwner): Promise<SessionHold> {
    const keptSeconds = this.#kept(expirySeconds);
    const { settledAt } = owner;
    const { epoch, stored } = await this.#options.sessions.take({ userId, clientId, cleanStart, keptSeconds, settledAt });
    const hold = new Hold(this, { userId, clientId, epoch }, owner, stored, keptSeconds);
    if (hold.isStored) this.#holds.set(owner, hold);
    return hold;
  }

  #kept(expirySeconds: number): number {
    return Math.min(expirySeconds, this.#options.longestSeconds);
  }

  /** Whose session is another's now learns of it here, if not by the bus. */
  async #save(holds: readonly Hold[]): Promise<void> {
    if (holds.length === 0) return;
    const states = holds.map(takeState);
    const areHeld = await this.#options.sessions.save(states).catch((error: unknown) => {
      this.#putBack(holds, states);
      throw error;
    });
    for (const [index, { owner }] of holds.entries()) if (!areHeld[index] && this.#holds.has(owner)) owner.takenOver();
  }

  /** What could not be stored is stored with what moves next. */
  #putBack(holds: readonly Hold[], states: readonly SessionState[]): void {
    for (const [index, hold] of holds.entries()) for (const roomId of states[index]?.cursors.keys() ?? []) hold.note(roomId);
  }
}
