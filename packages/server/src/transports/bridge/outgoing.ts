import { create } from "@bufbuild/protobuf";
import {
  ClientFrameSchema,
  Code,
  type Goodbye_Reason,
  type ListMyRoomsResponse,
  MessagesService,
  ParlorError,
  RoomsService,
  type ServerFrame,
} from "@parlor/contract";
import type { MqttClient } from "mqtt";
import type { Call } from "../../domain/call.ts";
import { newId } from "../../domain/ids.ts";
import type { Log } from "../../ports/log.ts";
import type { Connection, Realtime } from "../../realtime/connection.ts";
import type { Api } from "../../services/api.ts";
import { EventSink } from "./event-sink.ts";
import type { PacketLimit } from "./packet-limit.ts";

export interface OutgoingOptions {
  readonly name: string;
  /** The API token of the bridge's account: the rooms of this account are those whose events are published. */
  readonly token: string;
  readonly api: Api;
  readonly realtime: Realtime;
  readonly log: Log;
  /** Connected to the broker. */
  readonly client: MqttClient;
  readonly limit: PacketLimit;
}

/** How long an acknowledged event may go unnoted; after a crash so much is published again (milliseconds). */
const noteMs = 100;

interface Cursor {
  readonly roomId: string;
  readonly seq: number;
}

/**
 * Publishes the events of the account's rooms, from where the account has marked them as read: what the broker has acknowledged
 * is marked as read, so that another bridge goes on from there.
 */
export class Outgoing {
  readonly ended: Promise<Goodbye_Reason>;
  readonly #options: OutgoingOptions;
  readonly #sink: EventSink;
  readonly #call: Call;
  #connection: Connection | undefined;
  readonly #dirty = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;
  #noting: Promise<void> = Promise.resolve();

  private constructor(options: OutgoingOptions, call: Call) {
    this.#options = options;
    this.#call = call;
    const { promise, resolve } = Promise.withResolvers<Goodbye_Reason>();
    this.ended = promise;
    this.#sink = new EventSink({
      client: options.client,
      limit: options.limit,
      acknowledged: (roomId, seq) => this.#note(roomId, seq),
      skipped: (roomId, seq) => options.log.warn({ roomId, seq }, "An event is too large for the broker: the bridge leaves it out."),
      told: (frame) => this.#reportGaps(frame),
      alive: () => this.#connection?.alive(),
      ended: ({ reason }) => resolve(reason),
    });
  }

  /** Begins to publish. @throws ParlorError when the token is not good, or the server cannot answer now */
  static async open(options: OutgoingOptions): Promise<Outgoing> {
    const origin = { protocol: "mqtt", address: `bridge ${options.name}`, requestId: newId() } as const;
    const caller = await options.api.authenticate(options.token, origin);
    if (!caller) throw new Error("The bridge has no token.");
    const outgoing = new Outgoing(options, { ...origin, caller });
    const resume = await outgoing.#cursors();
    outgoing.#connection = options.realtime.open(outgoing.#sink, { ...origin, token: options.token });
    outgoing.#connection.receive(create(ClientFrameSchema, { kind: { case: "hello", value: { resume } } }));
    return outgoing;
  }

  /** Publishes nothing more, and marks what the broker has. */
  async close(): Promise<void> {
    this.#sink.close();
    this.#connection?.closed();
    await this.#sink.settled();
    clearTimeout(this.#timer);
    await this.#noteAll();
  }

  /** A room of which nothing was ever published begins at its end. */
  async #cursors(): Promise<Cursor[]> {
    const cursors: Cursor[] = [];
    let pageToken = "";
    do {
      const page = (await this.#options.api.call(
        RoomsService.method.listMyRooms,
        create(RoomsService.method.listMyRooms.input, { pageToken, pageSize: 200 }),
        this.#call,
      )) as ListMyRoomsResponse;
      for (const { room, readSeq } of page.rooms) if (room && readSeq > 0) cursors.push({ roomId: room.id, seq: readSeq });
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    return cursors;
  }

  #note(roomId: string, seq: number): void {
    this.#dirty.set(roomId, seq);
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      void this.#noteAll();
    }, noteMs);
  }

  /** One after the other, so that an older mark never comes after a newer one. */
  #noteAll(): Promise<void> {
    this.#noting = this.#noting.then(() => this.#markAll());
    return this.#noting;
  }

  async #markAll(): Promise<void> {
    const marks = [...this.#dirty];
    this.#dirty.clear();
    for (const [roomId, seq] of marks) await this.#mark(roomId, seq);
  }

  async #mark(roomId: string, seq: number): Promise<void> {
    const { markRead } = MessagesService.method;
    try {
      await this.#options.api.call(markRead, create(markRead.input, { roomId, seq }), this.#call);
    } catch (error) {
      // Out of the room meanwhile: there is nothing to go on with.
      if (error instanceof ParlorError && error.code === Code.NOT_FOUND) return;
      this.#options.log.warn({ err: error, roomId }, "The bridge could not note what the broker has; it may publish that again.");
    }
  }

  #reportGaps({ welcome, gaps }: ServerFrame): void {
    const missed = welcome?.rooms.flatMap(({ gap }) => gap ?? []) ?? [];
    for (const { roomId, from, to } of [...missed, ...gaps])
      this.#options.log.warn({ roomId, from, to }, "The bridge has missed events, which it does not publish.");
  }
}
