import { create } from "@bufbuild/protobuf";
import {
  type ClientFrame,
  type Event,
  Goodbye_Reason,
  type ParlorError,
  type Reply,
  ReplySchema,
  ServerFrameSchema,
} from "@parlor/contract";
import type { Caller } from "../domain/call.ts";
import { newId } from "../domain/ids.ts";
import { RoomEvent } from "../domain/room-event.ts";
import type { Connection, Origin } from "./connection.ts";
import { goodbye } from "./goodbyes.ts";
import type { Follower, Reader } from "./room-channel.ts";
import { keepsUp, type Sink } from "./sink.ts";
import type { TurnQueue, TurnTask } from "./turn-queue.ts";

/** What a connection tells its hub. */
export interface ConnectionOwner {
  readonly queue: TurnQueue;
  readonly outboundBytes: number;
  readonly now: () => number;
  /** A frame came in: the hello first, until the connection is open. */
  frame(connection: LiveConnection, frame: ClientFrame): void;
  /** The connection ended, by either side; said once. `reason` is left out when the client went away. */
  ended(connection: LiveConnection, reason: Goodbye_Reason | undefined): void;
}

/**
 * A live connection: `awaiting` its hello, `opening` while its rooms are read, `open`, `ended`.
 * Only an open connection takes other frames.
 */
export type ConnectionState = "awaiting" | "opening" | "open" | "ended";

/** Most connections need some of their maps never, or not for long: they share this one. */
const nothing: ReadonlyMap<string, "left" | number> = new Map();

export class LiveConnection implements Connection, Reader, TurnTask {
  readonly id = newId();
  readonly origin: Origin;
  readonly sink: Sink;
  readonly openedAt: number;
  readonly outboundBytes: number;
  state: ConnectionState = "awaiting";
  caller: Caller | undefined;
  readonly followers = new Map<string, Follower>();
  /** What happened to its memberships while it was opening: left, or entered with the event of this `seq`. */
  meanwhile: ReadonlyMap<string, "left" | number> = nothing;
  /** When typing was last told, by room. */
  #typedAt: Map<string, number> | undefined;
  /** When anything was last heard, and when something that shows a person. Milliseconds since 1970. */
  heardAt: number;
  activeAt: number;
  beatAt: number;
  /** How long after its end its person appears offline (milliseconds); undefined for as long as usual. */
  offlineAfterMs: number | undefined;
  readonly #owner: ConnectionOwner;
  #replies: Reply[] | undefined;

  constructor(sink: Sink, origin: Origin, owner: ConnectionOwner) {
    this.sink = sink;
    this.origin = origin;
    this.#owner = owner;
    this.openedAt = owner.now();
    this.outboundBytes = owner.outboundBytes;
    this.heardAt = this.activeAt = this.beatAt = this.openedAt;
  }

  // What the transport does.

  receive(frame: ClientFrame): void {
    if (this.state === "ended") return;
    this.heardAt = this.#owner.now();
    if (frame.kind.case !== "ping") this.activeAt = this.heardAt;
    this.#owner.frame(this, frame);
  }

  reject(reason: Goodbye_Reason, error: ParlorError): void {
    this.end(reason, { error });
  }

  refuse(id: number, error: ParlorError): void {
    this.heardAt = this.#owner.now();
    if (this.state === "open") this.reply(id, { case: "error", value: error.toWire() });
    else this.end(Goodbye_Reason.BAD_FRAME, { error });
  }

  alive(): void {
    this.heardAt = this.#owner.now();
  }

  offlineAfter(ms: number | undefined): void {
    this.offlineAfterMs = ms;
  }

  interestChanged(): void {
    for (const follower of this.followers.values()) if (follower.live) follower.channel.route(follower);
  }

  closed(): void {
    this.#finish(undefined);
  }

  position(roomId: string): number | undefined {
    const channel = this.followers.get(roomId)?.channel;
    channel?.flush();
    return channel?.feed.head;
  }

  rooms(): Iterable<string> {
    return this.followers.keys();
  }

  // What the hub does.

  /** Notes a change of its memberships while it is opening. */
  note(roomId: string, change: "left" | number): void {
    this.meanwhile = new Map([...this.meanwhile, [roomId, change]]);
  }

  /** Gives what was noted, for the last time. */
  takeNotes(): ReadonlyMap<string, "left" | number> {
    const notes = this.meanwhile;
    this.meanwhile = nothing;
    return notes;
  }

  /** Whether typing in a room may be told again, and if so, that it is told now. */
  mayType(roomId: string, now: number, everyMs: number): boolean {
    this.#typedAt ??= new Map();
    if ((this.#typedAt.get(roomId) ?? 0) + everyMs > now) return false;
    this.#typedAt.set(roomId, now);
    return true;
  }

  deliver(bytes: Uint8Array, events?: readonly RoomEvent[]): void {
    if (this.state === "ended") return;
    if (keepsUp(this.sink, bytes, this.outboundBytes)) this.sink.write(bytes, events);
    else this.end(Goodbye_Reason.SLOW_CONSUMER);
  }

  offer(bytes: Uint8Array, events?: readonly RoomEvent[]): void {
    if (this.state === "open" && this.sink.queuedBytes < this.outboundBytes / 8) this.sink.write(bytes, events);
  }

  /** An event for this person alone. */
  personal(event: Event): void {
    const run = [RoomEvent.of(event)] as const;
    const format = this.sink.formatFor(run[0]);
    if (format) this.deliver(format.events(run), run);
  }

  /** Answers a frame; answers of one turn ride together. Only errors are told to frames without id. */
  reply(id: number, result: Reply["result"]): void {
    if (this.state === "ended" || (id === 0 && result.case !== "error")) return;
    this.#replies ??= [];
    this.#replies.push(create(ReplySchema, { id, result }));
    this.#owner.queue.add(this);
  }

  run(): boolean {
    const replies = this.#replies;
    this.#replies = undefined;
    if (replies) this.deliver(this.sink.encode(create(ServerFrameSchema, { replies })));
    return true;
  }

  /** Says that the server is here, and asks whether the client is. */
  beat(now: number): void {
    this.beatAt = now;
    this.sink.beat();
  }

  end(reason: Goodbye_Reason, details: { readonly error?: ParlorError; readonly afterMs?: number } = {}): void {
    if (this.state === "ended") return;
    this.run();
    // The replies may have been too much for it.
    if ((this.state as ConnectionState) === "ended") return;
    this.sink.end(goodbye(reason, details));
    this.#finish(reason);
  }

  #finish(reason: Goodbye_Reason | undefined): void {
    if (this.state === "ended") return;
    this.state = "ended";
    this.#owner.ended(this, reason);
  }
}
