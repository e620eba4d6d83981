import { create, type DescMethod, type Message } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  ApiToken_Scope,
  type ClientFrame,
  Code,
  EventSchema,
  Goodbye_Reason,
  MessagesService,
  ParlorError,
  PingSchema,
  PongSchema,
  PresenceService,
  Reason,
  type Reply,
  type TypingRequest,
  TypingRequestSchema,
  TypingResponseSchema,
} from "@parlor/contract";
import type { Kysely } from "kysely";
import type { Call } from "../domain/call.ts";
import { requireWriter } from "../domain/permissions.ts";
import { denied, notExisting, precondition } from "../domain/refusals.ts";
import { RoomEvent } from "../domain/room-event.ts";
import type { Feeds } from "../log/feeds.ts";
import type { UserHints } from "../log/user-hints.ts";
import type { Bus } from "../ports/bus.ts";
import type { Metrics } from "../ports/metrics.ts";
import type { Tracing } from "../ports/tracing.ts";
import type { Schema } from "../store/schema.ts";
import { Arrivals } from "./arrivals.ts";
import type { Calls } from "./calls.ts";
import { catchUp } from "./catch-up.ts";
import { Channels } from "./channels.ts";
import type { Connection, Origin, Realtime } from "./connection.ts";
import { type ConnectionOwner, LiveConnection } from "./live-connection.ts";
import { Memberships, personalEvent } from "./memberships.ts";
import { open } from "./opening.ts";
import { Peers } from "./peers.ts";
import type { PersonThere } from "./person-there.ts";
import { Presences } from "./presences.ts";
import { Roster } from "./roster.ts";
import type { Sink } from "./sink.ts";
import { TurnQueue } from "./turn-queue.ts";
import { type Validity, Vigil } from "./vigil.ts";

export interface HubOptions {
  readonly store: Kysely<Schema>;
  readonly feeds: Feeds;
  readonly userHints: UserHints;
  /** How often the Store is asked for what other nodes did (milliseconds); left out where there are none. */
  readonly checkMs?: number | undefined;
  /** By which other nodes are heard of; left out where there are none. */
  readonly bus?: Bus | undefined;
  readonly metrics: Metrics;
  /** Left out where traces are off. */
  readonly tracing?: Tracing | undefined;
  readonly heartbeatMs: number;
  readonly deadAfterMs: number;
  readonly helloTimeoutMs: number;
  readonly outboundBytes: number;
  readonly connectionsPerUser: number;
  readonly resumeMaxEvents: number;
  readonly awayAfterMs: number;
  readonly offlineAfterMs: number;
  /** Whether each of these sessions is still good. */
  readonly stillValid: (sessionIds: readonly string[]) => Promise<ReadonlyMap<string, Validity>>;
  /** These people were last seen at this time. */
  readonly lastSeen: (userIds: readonly string[], at: number) => void;
  readonly reportFault: (error: unknown) => void;
  readonly now: () => number;
}

/** Presence is told in rooms with at most this many live readers on a node. */
const presenceReaders = 200;
/** A person's typing in a room is told at most this often (milliseconds). */
const typingEveryMs = 2000;

/** Every live connection of this node: takes their frames, and brings them what happens in their rooms. */
export class Hub implements Realtime, ConnectionOwner {
  readonly queue = new TurnQueue();
  readonly outboundBytes: number;
  readonly now: () => number;
  readonly presences: Presences;
  readonly #options: HubOptions;
  readonly #roster = new Roster();
  readonly #channels: Channels;
  readonly #memberships: Memberships;
  readonly #arrivals: Arrivals;
  readonly #peers: Peers<PersonThere> | undefined;
  readonly #vigil: Vigil;
  #calls: Calls | undefined;
  #draining = false;

  constructor(options: HubOptions) {
    this.#options = options;
    this.outboundBytes = options.outboundBytes;
    this.now = options.now;
    this.#channels = new Channels(options.feeds, this.queue, {
      outboundBytes: options.outboundBytes,
      tracing: options.tracing,
      delivered(events, readers, lagMs, from): void {
        options.metrics.delivered(events * readers);
        options.metrics.fannedOut(lagMs);
        if (from === undefined) return;
        options.tracing?.record("fan out", lagMs, { from, attributes: { "parlor.events": events, "parlor.readers": readers } });
      },
      fellBehind(follower, after): void {
        void catchUp(follower, after).catch((error: unknown) => {
          options.reportFault(error);
          follower.connection.end(Goodbye_Reason.INTERNAL);
        });
      },
    });
    this.#memberships = new Memberships(options.store, this.#roster, this.#channels, options.reportFault);
    this.presences = new Presences({ ...options, roomReaders: presenceReaders }, this.#roster, this.#channels);
    this.#peers = options.bus && new Peers(options.bus, this.queue, options.now, this.presences);
    if (this.#peers) this.presences.join(this.#peers);
    const readMarked = (userId: string, roomId: string, readSeq: number): void => this.#showReadMarker(userId, roomId, readSeq);
    this.#arrivals = new Arrivals({ ...options, readMarked }, this.#roster, this.#memberships);
    this.#vigil = new Vigil({ ...options, sweep: () => this.#sweep() });
    options.feeds.observe((feed, events) => this.#memberships.observe(feed, events));
    options.feeds.observeEphemeral((event) => this.#channels.peek(event.roomId)?.ephemeral(event));
    options.metrics.watch("queued_bytes", () => this.#vigil.queuedBytes());
  }

  /** Gives the hub the services; it takes connections only then. */
  start(calls: Calls): void {
    this.#calls = calls;
    this.#peers?.start();
    this.#vigil.start();
  }

  open(sink: Sink, origin: Origin): Connection {
    const connection = new LiveConnection(sink, origin, this);
    this.#options.metrics.connected(origin.protocol);
    this.#vigil.add(connection);
    if (this.#draining || !this.#calls) connection.end(Goodbye_Reason.SHUTDOWN, { afterMs: jitter(5000) });
    return connection;
  }

  frame(connection: LiveConnection, frame: ClientFrame): void {
    const calls = this.#calls;
    if (!calls) return;
    if (connection.state === "awaiting")
      void open(
        { ...this.#options, calls, channels: this.#channels, roster: this.#roster, presences: this.presences },
        connection,
        frame,
      ).then(() => this.#opened(connection));
    else void this.#answer(calls, connection, frame);
  }

  ended(connection: LiveConnection, reason: Goodbye_Reason | undefined): void {
    this.#options.metrics.disconnected(connection.origin.protocol, reason === undefined ? "CLIENT" : Goodbye_Reason[reason]);
    this.#vigil.remove(connection);
    const rooms = [...connection.followers.keys()];
    for (const follower of connection.followers.values()) this.#channels.leave(follower);
    const { caller } = connection;
    if (!caller) return;
    this.#roster.remove(connection, caller.userId);
    // Whoever is sent away by a shutdown will be back.
    this.presences.departed(caller.userId, rooms, reason === Goodbye_Reason.SHUTDOWN ? undefined : connection.offlineAfterMs);
  }

  /** Ends the live connections of these sessions. */
  endSessions(sessionIds: readonly string[], reason: Goodbye_Reason): void {
    const ids = new Set(sessionIds);
    for (const connection of [...this.#roster.all()]) if (connection.caller && ids.has(connection.caller.sessionId)) connection.end(reason);
  }

  /** Ends all live connections of a person. */
  endUser(userId: string, reason: Goodbye_Reason): void {
    for (const connection of [...this.#roster.of(userId)]) connection.end(reason);
  }

  /** What is known of a person, or of everybody, may no longer be true, such as the role: it is looked up again. */
  doubt(userId: string | undefined): void {
    const connections = userId === undefined ? this.#roster.all() : this.#roster.of(userId);
    for (const connection of connections) this.#vigil.doubt(connection);
  }

  /** A person's read marker moved: told to their connections on every node. */
  readMarked(userId: string, roomId: string, readSeq: number): void {
    this.#showReadMarker(userId, roomId, readSeq);
    this.#options.userHints.send(userId, { kind: "read", roomId, seq: readSeq });
  }

  #showReadMarker(userId: string, roomId: string, readSeq: number): void {
    const event = personalEvent(roomId, { case: "readMarked", value: { $typeName: "parlor.v1.ReadMarked", readSeq } });
    for (const connection of this.#roster.of(userId)) if (connection.state === "open") connection.personal(event);
  }

  get size(): number {
    return this.#vigil.size;
  }

  /** Says goodbye to everyone, each with another time to come back, and takes nobody new. */
  drain(spreadMs: number): void {
    this.#draining = true;
    this.#vigil.stop();
    for (const connection of this.#vigil.connections()) connection.end(Goodbye_Reason.SHUTDOWN, { afterMs: jitter(spreadMs) });
    this.#peers?.stop();
  }

  #sweep(): void {
    this.presences.sweep();
    this.#arrivals.sweep();
    this.#peers?.sweep();
  }

  #opened(connection: LiveConnection): void {
    const { caller } = connection;
    if (connection.state !== "open" || !caller) return;
    this.#memberships.settle(connection);
    this.presences.arrived(caller.userId);
    // What let it in may be some seconds old, and the word of its end may have come before it was here.
    if (this.#options.checkMs !== undefined) this.#vigil.doubt(connection);
  }

  async #answer(calls: Calls, connection: LiveConnection, { id, kind }: ClientFrame): Promise<void> {
    try {
      connection.reply(id, await this.#carryOut(calls, connection, kind));
      if (connection.caller && kind.case !== "ping") this.presences.active(connection.caller.userId);
    } catch (error) {
      if (!(error instanceof ParlorError)) this.#options.reportFault(error);
      const refusal = error instanceof ParlorError ? error : new ParlorError(Code.INTERNAL, Reason.FAULT, "The server failed to answer.");
      connection.reply(id, { case: "error", value: refusal.toWire(connection.origin.requestId) });
    }
  }

  async #carryOut(calls: Calls, connection: LiveConnection, kind: ClientFrame["kind"]): Promise<Reply["result"]> {
    const { caller, origin } = connection;
    if (connection.state !== "open" || !caller) throw precondition(Reason.UNEXPECTED_FRAME, "Wait for the welcome before the next frame.");
    const call: Call = { requestId: origin.requestId, protocol: origin.protocol, address: origin.address, caller };
    const unary = async (method: DescMethod, request: Message): Promise<never> => (await calls.call(method, request, call)) as never;
    switch (kind.case) {
      case "send":
        return { case: "send", value: await unary(MessagesService.method.sendMessage, kind.value) };
      case "markRead":
        return { case: "markRead", value: await unary(MessagesService.method.markRead, kind.value) };
      case "setPresence":
        return { case: "setPresence", value: await unary(PresenceService.method.setPresence, kind.value) };
      case "typing":
        if (caller.scopes && !caller.scopes.has(ApiToken_Scope.WRITE))
          throw denied(Reason.SCOPE_MISSING, "This API token lacks the scope WRITE.");
        calls.admit(TypingRequestSchema, kind.value, caller);
        await this.#typing(connection, kind.value);
        return { case: "typing", value: create(TypingResponseSchema) };
      case "ping":
        calls.admit(PingSchema, kind.value, caller);
        return { case: "pong", value: create(PongSchema) };
      default:
        throw precondition(Reason.UNEXPECTED_FRAME, "The stream is open already: a hello comes only once.");
    }
  }

  async #typing(connection: LiveConnection, { roomId }: TypingRequest): Promise<void> {
    const { caller, followers } = connection;
    const follower = followers.get(roomId);
    if (!caller || !follower) throw notExisting();
    const { channel } = follower;
    const now = this.now();
    requireWriter({ caller, member: await channel.feed.member(caller.userId), rules: channel.feed.policy.rules }, now);
    if (!connection.mayType(roomId, now, typingEveryMs)) return;
    const kind = { case: "typing", value: { $typeName: "parlor.v1.Typing", userId: caller.userId } } as const;
    const event = RoomEvent.of(create(EventSchema, { roomId, at: timestampFromMs(now), actorId: caller.userId, kind }));
    channel.ephemeral(event);
    this.#options.feeds.passOn(event);
  }
}

function jitter(spreadMs: number): number {
  return Math.floor(Math.random() * spreadMs);
}
