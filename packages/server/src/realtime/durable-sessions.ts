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
  type HeldSession,
  leaveMqttSession,
  lockMqttSession,
  type MqttCursorRow,
  type MqttSessionRow,
  mqttCursors,
  putMqttCursors,
  putMqttSeen,
  putMqttSubscriptions,
  seenWithinSeconds,
  takeMqttSession,
} from "../store/mqtt-sessions.ts";
import type { Schema } from "../store/schema.ts";
import type {
  DurableSessions,
  SessionClaim,
  SessionCursor,
  SessionHold,
  SessionKey,
  SessionOwner,
  StoredSession,
  StoredSubscription,
} from "./durable-session.ts";
import { Hold, movedCursors, type SessionKeeper } from "./session-hold.ts";
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

/** Sessions in the Store, so that any node can go on with them. What a client has acknowledged is stored soon, and for many at once. */
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
    this.#heartbeat = setInterval(() => void this.#maintain().catch(options.reportFault), (seenWithinSeconds * 1000) / 3);
    this.#heartbeat.unref();
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
    if (keptSeconds > 0) await this.#save([hold.last()]);
    await leaveMqttSession(this.#options.store, hold.held, keptSeconds, new Date(hold.owner.settledAt));
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
      return { epoch: await takeMqttSession(tx, userId, clientId, kept, new Date(owner.settledAt)), stored };
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
    const cursors = holds.flatMap((hold) => movedCursors(hold));
    try {
      for (let i = 0; i < cursors.length; i += cursorsAtOnce)
        await putMqttCursors(this.#options.store, cursors.slice(i, i + cursorsAtOnce));
      await this.#seen(holds);
    } catch (error) {
      // They are stored with the next ones that move.
      const byKey = new Map(holds.map((hold) => [keyOf(hold.held), hold]));
      for (const cursor of cursors) byKey.get(keyOf(cursor))?.moves.add(cursor.roomId);
      throw error;
    }
  }

  async #maintain(): Promise<void> {
    await this.#seen([...this.#holds.values()]);
    await deleteExpiredMqttSessions(this.#options.store, expiredAtOnce);
  }

  /** Says that these are connected; whose session is another's now learns of it here, if not by the bus. */
  async #seen(holds: readonly Hold[]): Promise<void> {
    const rows = await putMqttSeen(
      this.#options.store,
      holds.map(({ held, owner }) => ({ ...held, settledAt: new Date(owner.settledAt) })),
    );
    const ours = new Set(rows.map(({ user_id, client_id }) => keyOf({ userId: user_id, clientId: client_id })));
    for (const { held, owner } of holds) if (!ours.has(keyOf(held)) && this.#holds.has(owner)) owner.takenOver();
  }
}

function keyOf({ userId, clientId }: SessionKey): string {
  return `${userId} ${clientId}`;
}

function storedSession(row: MqttSessionRow, cursors: readonly MqttCursorRow[]): StoredSession {
  return {
    subscriptions: row.subscriptions as StoredSubscription[],
    cursors: new Map(cursors.map(({ room_id, acked_seq, sent_seq }) => [room_id, { acked: acked_seq, sent: sent_seq }])),
    settledAt: row.settled_at.getTime(),
  };
}

function tooMany(most: number): ParlorError {
  return new ParlorError(Code.RESOURCE_EXHAUSTED, Reason.TOO_MANY_CONNECTIONS, `You have ${most} sessions already: let some expire.`);
}
