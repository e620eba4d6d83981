import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { EventSchema, type Presence } from "@parlor/contract";
import type { Kysely } from "kysely";
import { RoomEvent } from "../domain/room-event.ts";
import { membershipsOf } from "../store/members.ts";
import type { Schema } from "../store/schema.ts";
import type { Channels } from "./channels.ts";
import { type EncodedRun, offer, type Reader } from "./room-channel.ts";

export interface PresenceReadersOptions {
  readonly store: Kysely<Schema>;
  /** Rooms with more live readers are not told: there, everybody's coming and going would be most of the traffic. */
  readonly roomReaders: number;
  readonly now: () => number;
  readonly reportFault: (error: unknown) => void;
}

/** People per look-up of their rooms. */
const usersPerQuery = 200;

/** Tells the readers on this node how a person appears: those in the person's rooms. */
export class PresenceReaders {
  readonly #options: PresenceReadersOptions;
  readonly #channels: Channels;
  readonly #presenceOf: (userId: string) => Presence;
  /** Those whose readers are to be told when their rooms are known. */
  readonly #untold = new Set<string>();

  constructor(options: PresenceReadersOptions, channels: Channels, presenceOf: (userId: string) => Presence) {
    this.#options = options;
    this.#channels = channels;
    this.#presenceOf = presenceOf;
  }

  /** Where the person's rooms are not known, the Store knows them. */
  tell(userId: string, rooms: readonly string[] | undefined): void {
    if (rooms) this.#show(userId, rooms);
    else {
      if (this.#untold.size === 0) setImmediate(() => void this.#lookUp().catch(this.#options.reportFault));
      this.#untold.add(userId);
    }
  }

  async #lookUp(): Promise<void> {
    const userIds = [...this.#untold];
    this.#untold.clear();
    for (let i = 0; i < userIds.length; i += usersPerQuery) {
      const chunk = userIds.slice(i, i + usersPerQuery);
      const rows = await membershipsOf(this.#options.store, chunk);
      const rooms = Map.groupBy(rows, ({ user_id }) => user_id);
      for (const userId of chunk) {
        const roomIds = rooms.get(userId)?.map(({ room_id }) => room_id);
        this.#show(userId, roomIds ?? []);
      }
    }
  }

  /** Each reader is told once, however many rooms it shares with the person. */
  #show(userId: string, rooms: readonly string[]): void {
    const event = RoomEvent.of(
      create(EventSchema, {
        at: timestampFromMs(this.#options.now()),
        actorId: userId,
        kind: { case: "presenceChanged", value: { presence: this.#presenceOf(userId) } },
      }),
    );
    const bytes: EncodedRun = new Map();
    for (const connection of this.#audience(rooms)) offer(connection, bytes, [event]);
  }

  #audience(rooms: readonly string[]): Set<Reader> {
    const audience = new Set<Reader>();
    for (const roomId of rooms) {
      const live = this.#channels.peek(roomId)?.live ?? [];
      if (live.length <= this.#options.roomReaders) for (const { connection } of live) audience.add(connection);
    }
    return audience;
  }
}
