import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { EventSchema, type Presence, PresenceSchema, Presence_Status as Status } from "@parlor/contract";
import { RoomEvent } from "../domain/room-event.ts";
import type { Channels } from "./channels.ts";
import { type EncodedRun, offer, type Reader } from "./room-channel.ts";
import type { Roster } from "./roster.ts";

export interface PresenceOptions {
  readonly awayAfterMs: number;
  readonly offlineAfterMs: number;
  /** Rooms with more live readers are not told: there, everybody's coming and going would be most of the traffic. */
  readonly roomReaders: number;
  readonly now: () => number;
  /** Someone was last seen at this time. */
  readonly lastSeen: (userId: string, at: number) => void;
}

/** What is known of a person who is, or a moment ago was, connected to this node. */
interface Seen {
  shown: Status;
  /** What the person wants; ONLINE for "as it really is". */
  wished: Status;
  /** When the last connection ended; undefined while there is one. */
  goneAt: number | undefined;
  /** The rooms at that time. */
  rooms: readonly string[];
}

/** Who is there: a state per person, told to those who share a room when it changes. */
export class Presences {
  readonly #options: PresenceOptions;
  readonly #roster: Roster;
  readonly #channels: Channels;
  readonly #seen = new Map<string, Seen>();

  constructor(options: PresenceOptions, roster: Roster, channels: Channels) {
    this.#options = options;
    this.#roster = roster;
    this.#channels = channels;
  }

  /** A connection of this person opened. */
  arrived(userId: string): void {
    const seen = this.#seen.get(userId) ?? { shown: Status.OFFLINE, wished: Status.ONLINE, goneAt: undefined, rooms: [] };
    seen.goneAt = undefined;
    this.#seen.set(userId, seen);
    this.#update(userId, seen);
  }

  /** A connection of this person ended, which followed these rooms. */
  departed(userId: string, rooms: readonly string[]): void {
    const seen = this.#seen.get(userId);
    if (!seen || this.#roster.of(userId).size > 0) return;
    seen.goneAt = this.#options.now();
    seen.rooms = rooms;
    this.#options.lastSeen(userId, seen.goneAt);
  }

  /** What a person wants to appear as. */
  wish(userId: string, status: Status): Presence {
    const seen = this.#seen.get(userId) ?? { shown: Status.OFFLINE, wished: status, goneAt: this.#options.now(), rooms: [] };
    seen.wished = status;
    if (this.#roster.of(userId).size > 0) this.#seen.set(userId, seen);
    this.#update(userId, seen);
    return this.of(userId);
  }

  of(userId: string): Presence {
    return create(PresenceSchema, { userId, status: this.#seen.get(userId)?.shown ?? Status.OFFLINE });
  }

  /** A person did something: whoever was away is back. */
  active(userId: string): void {
    const seen = this.#seen.get(userId);
    if (seen?.shown === Status.AWAY) this.#update(userId, seen);
  }

  /** Looks who has gone away or offline; to be called every second or so. */
  sweep(): void {
    for (const [userId, seen] of this.#seen) this.#update(userId, seen);
  }

  #update(userId: string, seen: Seen): void {
    const status = this.#statusOf(userId, seen);
    const expired = seen.goneAt !== undefined && status === Status.OFFLINE && this.#isPast(seen.goneAt, this.#options.offlineAfterMs);
    if (expired) this.#seen.delete(userId);
    if (status === seen.shown) return;
    seen.shown = status;
    this.#tell(userId, seen);
  }

  #statusOf(userId: string, { wished, goneAt }: Seen): Status {
    if (goneAt !== undefined && this.#isPast(goneAt, this.#options.offlineAfterMs)) return Status.OFFLINE;
    if (wished !== Status.ONLINE) return wished;
    let activeAt = goneAt ?? 0;
    for (const connection of this.#roster.of(userId)) activeAt = Math.max(activeAt, connection.activeAt);
    return this.#isPast(activeAt, this.#options.awayAfterMs) ? Status.AWAY : Status.ONLINE;
  }

  #isPast(at: number, ms: number): boolean {
    return at + ms <= this.#options.now();
  }

  /** Each reader is told once, however many rooms it shares with the person. */
  #tell(userId: string, seen: Seen): void {
    const event = RoomEvent.of(
      create(EventSchema, {
        at: timestampFromMs(this.#options.now()),
        actorId: userId,
        kind: { case: "presenceChanged", value: { presence: this.of(userId) } },
      }),
    );
    const bytes: EncodedRun = new Map();
    for (const connection of this.#audience(userId, seen)) offer(connection, bytes, [event]);
  }

  #audience(userId: string, seen: Seen): Set<Reader> {
    const audience = new Set<Reader>();
    const rooms = new Set(
      seen.goneAt === undefined ? [...this.#roster.of(userId)].flatMap(({ followers }) => [...followers.keys()]) : seen.rooms,
    );
    for (const roomId of rooms) {
      const live = this.#channels.peek(roomId)?.live ?? [];
      if (live.length <= this.#options.roomReaders) for (const { connection } of live) audience.add(connection);
    }
    return audience;
  }
}
