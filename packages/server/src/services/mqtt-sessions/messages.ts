// Sessions of MQTT clients as processes tell each other of them.
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { SessionPlace, SessionState as SessionStateMessage, SessionStateSchema, SessionSubscription } from "@parlor/contract";
import type { SessionCursor, StoredSubscription } from "../../realtime/durable-session.ts";
import type { SessionState } from "../../realtime/session-store.ts";
import type { HeldSession } from "../../store/mqtt-sessions.ts";

type Places = ReadonlyArray<Pick<SessionPlace, "roomId" | "acked" | "sent">>;

export function placesOf(cursors: ReadonlyMap<string, SessionCursor>): Places {
  return [...cursors].map(([roomId, { acked, sent }]) => ({ roomId, acked, sent }));
}

export function cursorsOf(places: Places): ReadonlyMap<string, SessionCursor> {
  return new Map(places.map(({ roomId, acked, sent }) => [roomId, { acked, sent }]));
}

export function subscriptionsOf(messages: readonly SessionSubscription[]): StoredSubscription[] {
  return messages.map(({ filter, qos, encoding }) => ({
    filter,
    qos: qos === 0 ? 0 : 1,
    encoding: encoding === "protobuf" ? "protobuf" : "json",
  }));
}

export function messageOf({ held, settledAt, cursors }: SessionState): MessageInitShape<typeof SessionStateSchema> {
  return { held, settledAt, places: [...placesOf(cursors)] };
}

export function stateOf({ held, settledAt, places }: SessionStateMessage): SessionState {
  return { held: heldOf(held), settledAt, cursors: cursorsOf(places) };
}

/** Nobody has the session that a message without one names. */
export function heldOf({ userId, clientId, epoch }: HeldSession = { userId: "", clientId: "", epoch: 0 }): HeldSession {
  return { userId, clientId, epoch };
}
