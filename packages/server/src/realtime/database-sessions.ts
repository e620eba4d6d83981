import { Code, ParlorError, Reason } from "@parlor/contract";
import type { Kysely } from "kysely";
import {
  beginningsOf,
  countMqttSessions,
  deleteExpiredMqttSessions,
  deleteMqttCursors,
  deleteMqttSession,
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
import type { SessionCursor, SessionKey, StoredSession, StoredSubscription } from "./durable-session.ts";
import type { SessionState, SessionStore, SessionWish, TakenSession } from "./session-store.ts";

export interface DatabaseSessionsOptions {
  readonly store: Kysely<Schema>;
  /** Most sessions of one person. */
  readonly sessionsPerUser: number;
  readonly reportFault: (error: unknown) => void;
}

/** Cursors per statement. */
const cursorsAtOnce = 1000;
/** Sessions that are over and removed at a time, with their cursors. */
const expiredAtOnce = 1000;

/** Sessions in the Store, so that any node can go on with them. */
export class DatabaseSessions implements SessionStore {
  readonly #store: Kysely<Schema>;
  readonly #sessionsPerUser: number;
  readonly #sweep: NodeJS.Timeout;

  constructor({ store, sessionsPerUser, reportFault }: DatabaseSessionsOptions) {
    this.#store = store;
    this.#sessionsPerUser = sessionsPerUser;
    const sweep = (): void => void deleteExpiredMqttSessions(store, expiredAtOnce).catch(reportFault);
    this.#sweep = setInterval(sweep, (seenWithinSeconds * 1000) / 3).unref();
  }

  /** One transaction: of several connections that take a session, the last has the greatest epoch. */
  async take({ userId, clientId, cleanStart, keptSeconds, settledAt }: SessionWish): Promise<TakenSession> {
    const none = { epoch: 0, stored: undefined, wasLeft: true };
    if (keptSeconds === 0 && cleanStart) {
      await deleteMqttSession(this.#store, userId, clientId);
      return none;
    }
    const { epoch, stored, wasLeft } = await this.#store.transaction().execute(async (tx) => {
      const row = await lockMqttSession(tx, userId, clientId);
      const goesOn = row && !row.expired && !cleanStart;
      if (row && !goesOn) await deleteMqttSession(tx, userId, clientId);
      if (!goesOn && keptSeconds === 0) return none;
      if (!row && (await countMqttSessions(tx, userId)) >= this.#sessionsPerUser) throw tooMany(this.#sessionsPerUser);
      const cursors = goesOn ? await mqttCursors(tx, userId, clientId) : [];
      const stored = goesOn ? storedSession(row, cursors) : undefined;
      const epoch = await takeMqttSession(tx, userId, clientId, keptSeconds, new Date(settledAt));
      return { epoch, stored, wasLeft: row?.left_at !== null };
    });
    return { epoch, stored: stored && { ...stored, cursors: await this.#withNewRooms(userId, stored, wasLeft) } };
  }

  async subscribe(held: HeldSession, subscriptions: readonly StoredSubscription[], endedRoomIds: readonly string[]): Promise<boolean> {
    const isHeld = await putMqttSubscriptions(this.#store, held, subscriptions);
    if (isHeld && endedRoomIds.length > 0) await deleteMqttCursors(this.#store, held, endedRoomIds);
    return isHeld;
  }

  async save(states: readonly SessionState[]): Promise<readonly boolean[]> {
    await this.#move(states);
    const seen = states.map(({ held, settledAt }) => ({ ...held, settledAt: new Date(settledAt) }));
    const rows = await putMqttSeen(this.#store, seen);
    const ours = new Set(rows.map(({ user_id, client_id }) => keyOf({ userId: user_id, clientId: client_id })));
    return states.map(({ held }) => ours.has(keyOf(held)));
  }

  async leave(state: SessionState, keptSeconds: number): Promise<void> {
    if (keptSeconds > 0) await this.#move([state]);
    await leaveMqttSession(this.#store, state.held, keptSeconds, new Date(state.settledAt));
  }

  close(): void {
    clearInterval(this.#sweep);
  }

  async #move(states: readonly SessionState[]): Promise<void> {
    const cursors = states.flatMap(({ held, cursors: moved }) =>
      [...moved].map(([roomId, { acked, sent }]) => ({ ...held, roomId, acked, sent })),
    );
    for (let i = 0; i < cursors.length; i += cursorsAtOnce) await putMqttCursors(this.#store, cursors.slice(i, i + cursorsAtOnce));
  }

  /** Rooms into which the person came while the session was away, or just before its node crashed: they begin there. */
  async #withNewRooms(
    userId: string,
    { subscriptions, cursors }: StoredSession,
    wasLeft: boolean,
  ): Promise<ReadonlyMap<string, SessionCursor>> {
    if (!subscriptions.some(({ filter, qos }) => qos === 1 && filter.includes("/+/"))) return cursors;
    const rows = await beginningsOf(this.#store, userId, [...cursors.keys()]);
    const begun = rows.map(({ room_id, seq, last_seq }) => [room_id, { acked: seq, sent: wasLeft ? seq : last_seq }] as const);
    return new Map([...cursors, ...begun]);
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
