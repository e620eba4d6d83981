import { Code, ParlorError, Reason } from "@parlor/contract";
import type { Kysely } from "kysely";
import type { Bus } from "../ports/bus.ts";
import {
  beginningsOf,
  countMqttSessions,
  deleteExpiredMqttSessions,
  deleteMqttCursors,
  deleteMqttSession,
  greatestKeyBetween,
  type HeldCursor,
  type HeldSession,
  heardWithinSeconds,
  leaveMqttSession,
  lockMqttSession,
  type MqttCursorRow,
  type MqttSessionRow,
  mqttCursors,
  putMqttCursors,
  putMqttHeard,
  putMqttSubscriptions,
  takeMqttSession,
} from "../store/mqtt-sessions.ts";
import type { Schema } from "../store/schema.ts";
import type {
  DurableSessions,
  SessionClaim,
  SessionCursor,
  SessionHold,
  SessionOwner,
  StoredSession,
  StoredSubscription,
} from "./durable-session.ts";
import { SessionOwners } from "./session-owners.ts";

export interface StoredSessionsOptions {
  readonly store: Kysely<Schema>;
  readonly bus: Bus;
  /** How long a session is kept at most without its client (seconds). */
  readonly longestSeconds: number;
  /** Most sessions of one person. */
  readonly sessionsPerUser: number;
  readonly reportFault: (error: unknown) => void;
}

/** How late a cursor that moved is stored (milliseconds): after a crash, so much is sent again. */
const saveMs = 1000;
/** Cursors per statement. */
const cursorsAtOnce = 1000;
/** Sessions that are over and removed at a time, with their cursors. */
const expiredAtOnce = 1000;

/** A session that a connection of this node has. */
class Hold implements SessionHold {
  readonly held: HeldSession;
  readonly stored: StoredSession | undefined;
  readonly expirySeconds: number;
  readonly owner: SessionOwner;
  /** Rooms whose cursors moved since they were stored. */
  moves = new Set<string>();
  readonly #sessions: StoredSessions;
  /** Rooms whose cursors are in the Store, or on their way there. */
  readonly #begun = new Set<string>();

  constructor(sessions: StoredSessions, held: HeldSession, owner: SessionOwner, stored: StoredSession | undefined, expirySeconds: number) {
    this.#sessions = sessions;
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
    return this.#sessions.subscribed(this, subscriptions, []);
  }

  unsubscribed(subscriptions: readonly StoredSubscription[], roomIds: readonly string[]): Promise<void> {
    for (const roomId of roomIds) this.#begun.delete(roomId);
    return this.#sessions.subscribed(this, subscriptions, roomIds);
  }

  moved(roomId: string): void {
    this.moves.add(roomId);
    this.#sessions.moved(this);
  }

  leave(expirySeconds: number): Promise<void> {
    return this.#sessions.leave(this, expirySeconds);
  }
}

/** Sessions in the Store, so that any node can go on with them. What a client has acknowledged is stored soon, and for many at once. */
export class StoredSessions implements DurableSessions {
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
    this.#heartbeat = setInterval(() => void this.#maintain().catch(options.reportFault), (heardWithinSeconds * 1000) / 3);
    this.#heartbeat.unref();
  }

  async claim(claim: SessionClaim, owner: SessionOwner): Promise<SessionHold> {
    const before = this.#owners.of(claim);
    // What the connection before it has acknowledged is this one's beginning.
    const hold = before && this.#holds.get(before);
    this.#owners.take(claim, owner);
    try {
      if (hold) await this.#save([hold]);
      await this.#left(claim);
      return await this.#take(claim, owner);
    } catch (error) {
      this.#owners.release(claim, owner);
      throw error;
    }
  }

  greatestKey(place: { readonly roomId: string; readonly authorId: string }, from: string, to: string): Promise<string | undefined> {
    return greatestKeyBetween(this.#options.store, place, from, to);
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
    const { store } = this.#options;
    if (!hold.isStored) return;
    if (!(await putMqttSubscriptions(store, hold.held, subscriptions))) return hold.owner.takenOver();
    await this.#save([hold]);
    if (roomIds.length > 0) await deleteMqttCursors(store, hold.held, roomIds);
  }

  async leave(hold: Hold, expirySeconds: number): Promise<void> {
    this.#moved.delete(hold);
    this.#holds.delete(hold.owner);
    this.#owners.release(hold.held, hold.owner);
    if (!hold.isStored) return;
    const leaving = this.#leave(hold, this.#kept(expirySeconds))
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

  async #leave(hold: Hold, keptSeconds: number): Promise<void> {
    for (const [roomId, { acked, sent }] of hold.owner.cursors()) if (sent > acked) hold.moves.add(roomId);
    if (keptSeconds > 0) await this.#save([hold]);
    await leaveMqttSession(this.#options.store, hold.held, keptSeconds, new Date(hold.owner.heardAt));
  }

  /** One transaction: of several nodes that take a session, the last has the greatest epoch. */
  async #take({ userId, clientId, cleanStart, expirySeconds }: SessionClaim, owner: SessionOwner): Promise<SessionHold> {
    const kept = this.#kept(expirySeconds);
    if (kept === 0 && cleanStart) {
      await deleteMqttSession(this.#options.store, userId, clientId);
      return new Hold(this, { userId, clientId, epoch: 0 }, owner, undefined, 0);
    }
    const { epoch, stored } = await this.#options.store.transaction().execute(async (tx) => {
      const row = await lockMqttSession(tx, userId, clientId);
      const goesOn = row && !row.expired && !cleanStart;
      if (row && !goesOn) await deleteMqttSession(tx, userId, clientId);
      if (!goesOn && kept === 0) return { epoch: 0, stored: undefined };
      if (!row && (await countMqttSessions(tx, userId)) >= this.#options.sessionsPerUser) throw tooMany(this.#options.sessionsPerUser);
      const cursors = goesOn ? await mqttCursors(tx, userId, clientId) : [];
      const stored = goesOn ? storedSession(row, cursors) : undefined;
      return { epoch: await takeMqttSession(tx, userId, clientId, kept), stored };
    });
    const complete = stored && { ...stored, cursors: await this.#withNewRooms(userId, stored) };
    const hold = new Hold(this, { userId, clientId, epoch }, owner, complete, kept);
    if (epoch > 0) this.#holds.set(owner, hold);
    return hold;
  }

  /** Rooms that the person came into while the session was away: they begin there. */
  async #withNewRooms(userId: string, { subscriptions, cursors }: StoredSession): Promise<ReadonlyMap<string, SessionCursor>> {
    if (!subscriptions.some(({ filter, qos }) => qos === 1 && filter.includes("/+/"))) return cursors;
    const rows = await beginningsOf(this.#options.store, userId, [...cursors.keys()]);
    return new Map([...cursors, ...rows.map(({ room_id, seq }) => [room_id, { acked: seq, sent: seq }] as const)]);
  }

  #kept(expirySeconds: number): number {
    return Math.min(expirySeconds, this.#options.longestSeconds);
  }

  async #save(holds: readonly Hold[]): Promise<void> {
    const { store } = this.#options;
    const cursors = holds.flatMap((hold) => movedCursors(hold));
    for (let i = 0; i < cursors.length; i += cursorsAtOnce) await putMqttCursors(store, cursors.slice(i, i + cursorsAtOnce));
    await putMqttHeard(
      store,
      holds.map(({ held, owner }) => ({ ...held, heardAt: new Date(owner.heardAt) })),
    );
  }

  async #maintain(): Promise<void> {
    const { store } = this.#options;
    await putMqttHeard(
      store,
      [...this.#holds.values()].map(({ held, owner }) => ({ ...held, heardAt: new Date(owner.heardAt) })),
    );
    await deleteExpiredMqttSessions(store, expiredAtOnce);
  }
}

function storedSession(row: MqttSessionRow, cursors: readonly MqttCursorRow[]): StoredSession {
  return {
    subscriptions: row.subscriptions as StoredSubscription[],
    cursors: new Map(cursors.map(({ room_id, acked_seq, sent_seq }) => [room_id, { acked: acked_seq, sent: sent_seq }])),
    heardAt: row.heard_at.getTime(),
  };
}

/** What of a session is to be stored; taken once. */
function movedCursors(hold: Hold): HeldCursor[] {
  const { held, owner, moves } = hold;
  hold.moves = new Set();
  return [...owner.cursors()].flatMap(([roomId, { acked, sent }]) => (moves.has(roomId) ? [{ ...held, roomId, acked, sent }] : []));
}

function tooMany(most: number): ParlorError {
  return new ParlorError(Code.RESOURCE_EXHAUSTED, Reason.TOO_MANY_CONNECTIONS, `You have ${most} sessions already: let some expire.`);
}
