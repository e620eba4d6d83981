import { create } from "@bufbuild/protobuf";
import {
  ApiToken_Scope,
  type ClientFrame,
  ClientFrameSchema,
  Code,
  GetMeRequestSchema,
  type GetMeResponse,
  Goodbye_Reason,
  type Hello,
  ParlorError,
  Reason,
  ServerFrameSchema,
  UsersService,
  Welcome_Outcome,
} from "@parlor/contract";
import type { Kysely } from "kysely";
import type { Caller } from "../domain/call.ts";
import { denied, unauthenticated } from "../domain/refusals.ts";
import type { Metrics } from "../ports/metrics.ts";
import { placesOf, type RoomPlace } from "../store/members.ts";
import type { Schema } from "../store/schema.ts";
import type { Calls } from "./calls.ts";
import { catchUp } from "./catch-up.ts";
import type { Channels } from "./channels.ts";
import type { Origin } from "./connection.ts";
import { reasonOf } from "./goodbyes.ts";
import type { LiveConnection } from "./live-connection.ts";
import type { Presences } from "./presences.ts";
import type { Roster } from "./roster.ts";
import { cursorsOf, type OpenedRoom, type RoomStart, requireNoFuture, startOf, welcomeOf } from "./welcome.ts";

export interface OpeningContext {
  readonly store: Kysely<Schema>;
  readonly calls: Calls;
  readonly channels: Channels;
  readonly roster: Roster;
  readonly presences: Presences;
  readonly connectionsPerUser: number;
  readonly resumeMaxEvents: number;
  readonly heartbeatMs: number;
  readonly now: () => number;
  readonly metrics: Metrics;
  readonly reportFault: (error: unknown) => void;
}

/** Opens a connection after its hello: who it is, welcome, what was missed. Never throws: a refusal is its goodbye. */
export async function open(context: OpeningContext, connection: LiveConnection, frame: ClientFrame): Promise<void> {
  try {
    const hello = await admit(context, connection, frame);
    await start(context, connection, hello);
  } catch (error) {
    if (!(error instanceof ParlorError)) context.reportFault(error);
    const refusal =
      error instanceof ParlorError ? error : new ParlorError(Code.INTERNAL, Reason.FAULT, "The server failed to open the stream.");
    connection.end(reasonOf(refusal), { error: refusal });
  }
}

async function admit(context: OpeningContext, connection: LiveConnection, frame: ClientFrame): Promise<Hello> {
  if (frame.kind.case !== "hello")
    throw new ParlorError(Code.FAILED_PRECONDITION, Reason.UNEXPECTED_FRAME, "The first frame must be a hello.");
  const hello = frame.kind.value;
  connection.state = "opening";
  const { origin } = connection;
  const token = hello.token === "" ? origin.token : hello.token;
  const caller = await context.calls.authenticate(token, origin);
  if (!caller) throw unauthenticated(Reason.TOKEN_MISSING, "Send a token in the hello, the Authorization header or the metadata.");
  if (caller.scopes && !caller.scopes.has(ApiToken_Scope.READ))
    throw denied(Reason.SCOPE_MISSING, "This API token may not follow the stream: it lacks the scope READ.");
  context.calls.admit(ClientFrameSchema, checkable(frame, hello, origin), caller);
  const { size } = context.roster.of(caller.userId);
  if (size + context.presences.connectionsElsewhere(caller.userId) >= context.connectionsPerUser) {
    throw new ParlorError(
      Code.RESOURCE_EXHAUSTED,
      Reason.TOO_MANY_CONNECTIONS,
      `You have ${context.connectionsPerUser} connections already.`,
    );
  }
  if (isOver(connection)) return hello;
  connection.caller = caller;
  // From here on the hub tells it of every change of membership.
  context.roster.add(connection, caller.userId);
  // A session that ended before that, and after it was looked at, has not ended this connection.
  await context.calls.authenticate(token, origin);
  return hello;
}

/** In MQTT the listener writes the hello, with a cursor for each room of the session, however many: there, no client wrote them. */
function checkable(frame: ClientFrame, hello: Hello, { protocol }: Origin): ClientFrame {
  return protocol === "mqtt" ? { ...frame, kind: { case: "hello", value: { ...hello, resume: [] } } } : frame;
}

async function start(context: OpeningContext, connection: LiveConnection, hello: Hello): Promise<void> {
  const { caller } = connection;
  if (!caller) return;
  const call = { requestId: connection.origin.requestId, protocol: connection.origin.protocol, address: connection.origin.address, caller };
  const me = (await context.calls.call(UsersService.method.getMe, create(GetMeRequestSchema), call)) as GetMeResponse;
  const cursors = cursorsOf(hello);
  const rooms = await followAll(context, connection, caller, cursors);
  for (const { follower, cursor = 0 } of rooms) await follower.channel.feed.reaches(cursor);
  if (isOver(connection)) return;

  // One turn of the event loop from here to the end of the welcome: what it says is what follows.
  const current = rooms.filter(
    ({ follower }) => !follower.channel.feed.policy.deleted && connection.meanwhile.get(follower.channel.feed.roomId) !== "left",
  );
  requireNoFuture(hello, new Map(current.map(({ follower: { channel } }) => [channel.feed.roomId, channel.feed.head])));
  // In MQTT the client sets the pace, and nothing is left out that it has not acknowledged.
  const maxMissed = connection.origin.protocol === "mqtt" ? Number.POSITIVE_INFINITY : context.resumeMaxEvents;
  const starts = current.map((room) => startOf(room, maxMissed));
  const currentIds = new Set(current.map(({ place }) => place.room_id));
  const missing = [...cursors.keys()].filter((roomId) => !currentIds.has(roomId));
  for (const { follower, place } of rooms) if (!currentIds.has(place.room_id)) context.channels.leave(follower);
  const identity = { connectionId: connection.id, sessionId: caller.sessionId, user: me.user };
  const welcome = welcomeOf(identity, context.heartbeatMs, context.now(), starts, missing);
  connection.state = "open";
  connection.deliver(connection.sink.encode(create(ServerFrameSchema, { welcome })));
  for (const { outcome } of welcome.rooms)
    if (outcome !== Welcome_Outcome.OUTCOME_UNSPECIFIED) context.metrics.resumed(Welcome_Outcome[outcome]);
  goLive(context, connection, starts);
}

/** Rooms with nothing missed are live at once; the others catch up one after the other. */
function goLive(context: OpeningContext, connection: LiveConnection, starts: readonly RoomStart[]): void {
  const behind: RoomStart[] = [];
  for (const room of starts) {
    if (room.after === room.follower.channel.feed.head) room.follower.channel.join(room.follower);
    else behind.push(room);
  }
  void catchUpAll(behind).catch((error: unknown) => {
    context.reportFault(error);
    connection.end(Goodbye_Reason.INTERNAL);
  });
}

async function catchUpAll(behind: readonly RoomStart[]): Promise<void> {
  for (const { follower, after } of behind) await catchUp(follower, after);
}

/**
 * Follows every room of the caller. The list must be read while all the rooms' feeds are in memory, so that whatever changes
 * after the reading is heard of; with feeds that had to be loaded first, it is read again.
 */
async function followAll(
  { store, channels, reportFault }: OpeningContext,
  connection: LiveConnection,
  caller: Caller,
  cursors: ReadonlyMap<string, number>,
): Promise<OpenedRoom[]> {
  for (;;) {
    const known = new Set(connection.followers.keys());
    const places = await placesOf(store, caller.userId);
    if (isOver(connection)) return [];
    if (places.every(({ room_id }) => known.has(room_id) || channels.peek(room_id))) {
      const rooms = await Promise.all(places.map((place) => openRoom(channels, connection, place, cursors)));
      return rooms.filter((room) => room !== undefined);
    }
    for (const result of await Promise.allSettled(places.map(({ room_id }) => channels.follow(connection, room_id)))) {
      if (result.status === "rejected" && !(result.reason instanceof ParlorError)) {
        reportFault(result.reason);
        throw result.reason;
      }
    }
  }
}

/** A room that was deleted since the list was read is left out. */
async function openRoom(
  channels: Channels,
  connection: LiveConnection,
  place: RoomPlace,
  cursors: ReadonlyMap<string, number>,
): Promise<OpenedRoom | undefined> {
  try {
    return { follower: await channels.follow(connection, place.room_id), place, cursor: cursors.get(place.room_id) };
  } catch (error) {
    if (error instanceof ParlorError) return undefined;
    throw error;
  }
}

function isOver(connection: LiveConnection): boolean {
  return connection.state === "ended";
}
