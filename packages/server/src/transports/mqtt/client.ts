import type { DescMethod, Message, MessageInitShape } from "@bufbuild/protobuf";
import type { ClientFrameSchema } from "@parlor/contract";
import type { IDisconnectPacket, Packet } from "mqtt-packet";
import type { SessionHold } from "../../realtime/durable-session.ts";
import type { InFlight } from "./in-flight.ts";
import type { Version } from "./packets.ts";
import type { PublicationKeys } from "./publication-keys.ts";
import type { Encoding, Subscription, Subscriptions } from "./subscriptions.ts";
import type { TopicAliases } from "./topic-aliases.ts";
import type { Outcome, Unanswered } from "./unanswered.ts";

/** An open connection, as the handlers of its packets see it. */
export interface Client {
  readonly version: Version;
  /** How events are written unless a subscription says otherwise. */
  readonly encoding: Encoding;
  readonly subscriptions: Subscriptions;
  readonly inFlight: InFlight;
  readonly unanswered: Unanswered;
  readonly aliases: TopicAliases;
  /** What tells a repeat of a publication from another one. */
  readonly keys: PublicationKeys;
  /** What was stored before is known to be acknowledged (milliseconds since 1970). */
  readonly settledAt: number;
  /** Left out when nothing is kept after the connection. */
  readonly session: SessionHold | undefined;
  /** A subscription of this connection, as it is kept in memory; of a shared one, it becomes a member of the group. */
  subscription(filter: string, qos: 0 | 1, encoding: Encoding): Subscription;
  send(packet: Packet): void;
  /** Hands a frame to the hub; what becomes of it is told to the publication of this number. */
  frame(id: number, kind: NonNullable<MessageInitShape<typeof ClientFrameSchema>["kind"]>): void;
  /** @throws ParlorError */
  call(method: DescMethod, request: Message): Promise<never>;
  settle(id: number, outcome: Outcome): void;
  /** The `seq` of a room after which its next event comes; undefined for a room that is not the person's. */
  position(roomId: string): number | undefined;
  rooms(): Iterable<string>;
  /** To be told after its subscriptions have changed. */
  interestChanged(): void;
  /** Waits until the Store may be asked for something for which no service is asked, with its rates; false when it is over. */
  mayAsk(): Promise<boolean>;
  /** Section 3.14: the client has said goodbye, and may have said how long its session is kept. @throws Breach */
  disconnected(packet: IDisconnectPacket): void;
  /** More may be sent than before. */
  windowMoved(): void;
}
