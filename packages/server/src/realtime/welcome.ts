import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  Code,
  type Hello,
  ParlorError,
  Reason,
  type User,
  type Welcome,
  Welcome_Outcome,
  type Welcome_RoomState,
  Welcome_RoomStateSchema,
  WelcomeSchema,
} from "@parlor/contract";
import type { RoomPlace } from "../store/members.ts";
import type { Follower } from "./room-channel.ts";

/** A room as the opening of a connection found it: followed, and to be resumed after `cursor` if the hello named it. */
export interface OpenedRoom {
  readonly follower: Follower;
  readonly place: RoomPlace;
  readonly cursor: number | undefined;
}

/** What a connection does with one of its rooms: says it in the welcome, and follows it after a `seq`. */
export interface RoomStart {
  readonly follower: Follower;
  readonly state: Welcome_RoomState;
  readonly after: number;
}

/** How a room starts; `maxMissed`: how many events a client may have missed. */
export function startOf({ follower, place, cursor }: OpenedRoom, maxMissed: number): RoomStart {
  const { roomId, head } = follower.channel.feed;
  const state = create(Welcome_RoomStateSchema, { roomId, lastSeq: head, readSeq: place.read_seq });
  if (cursor === undefined) return { follower, state, after: head };
  // What retention has removed is missing in any case; what follows it may still come.
  const reachable = Math.max(cursor, place.first_seq - 1);
  const after = head - reachable <= maxMissed ? reachable : head;
  if (after === cursor) state.outcome = Welcome_Outcome.RECOVERED;
  else {
    state.outcome = Welcome_Outcome.GAP;
    state.gap = { $typeName: "parlor.v1.Gap", roomId, from: cursor + 1, to: after };
  }
  return { follower, state, after };
}

/** The cursors of a hello, by room, the last one of each. */
export function cursorsOf(hello: Hello): Map<string, number> {
  return new Map(hello.resume.map(({ roomId, seq }) => [roomId, seq]));
}

/** @throws ParlorError OUT_OF_RANGE naming every cursor that is beyond the end of its room */
export function requireNoFuture(hello: Hello, heads: ReadonlyMap<string, number>): void {
  const violations = hello.resume.flatMap(({ roomId, seq }, index) => {
    const head = heads.get(roomId);
    return head !== undefined && seq > head
      ? [{ field: `hello.resume[${index}].seq`, description: `must be at most ${head}, the end of the room` }]
      : [];
  });
  if (violations.length === 0) return;
  throw new ParlorError(Code.OUT_OF_RANGE, Reason.SEQ_IN_FUTURE, "A cursor lies beyond the end of its room.", { violations });
}

export function welcomeOf(
  identity: { readonly connectionId: string; readonly sessionId: string; readonly user: User | undefined },
  heartbeatMs: number,
  now: number,
  starts: readonly RoomStart[],
  missing: readonly string[],
): Welcome {
  const unknown = missing.map((roomId) => create(Welcome_RoomStateSchema, { roomId, outcome: Welcome_Outcome.NOT_EXISTING }));
  return create(WelcomeSchema, {
    connectionId: identity.connectionId,
    sessionId: identity.sessionId,
    ...(identity.user && { user: identity.user }),
    heartbeatMs,
    serverTime: timestampFromMs(now),
    rooms: [...starts.map(({ state }) => state), ...unknown],
  });
}
