import type { ClientFrame, Goodbye_Reason, ParlorError } from "@parlor/contract";
import type { Protocol } from "../domain/call.ts";
import type { Sink } from "./sink.ts";

/** Where a connection comes from. */
export interface Origin {
  readonly protocol: Protocol;
  readonly address: string;
  /** The token of the Authorization header or metadata; left out when the hello brings it. */
  readonly token?: string;
  readonly requestId: string;
}

/** What a transport does with an open connection. No method throws. */
export interface Connection {
  /** A frame arrived, decoded and not yet checked. */
  receive(frame: ClientFrame): void;
  /** What arrived could not be a frame: the connection ends with this reason and error. */
  reject(reason: Goodbye_Reason, error: ParlorError): void;
  /** A frame that could be read and breaks the contract: answered with the error, or before the hello the end. `id`: the frame's. */
  refuse(id: number, error: ParlorError): void;
  /** Any sign of life that is not a frame, such as a WebSocket pong. */
  alive(): void;
  /**
   * How long after its end its person appears offline, if it was the last connection (milliseconds, at most as long as usual);
   * undefined for as long as usual.
   */
  offlineAfter(ms: number | undefined): void;
  /** It asks for other events than before, or for the same in another way. */
  interestChanged(): void;
  /** The network connection is gone. */
  closed(): void;
  /** Where it stands in a room: the `seq` after which its next event comes; undefined for a room that it does not follow. */
  position(roomId: string): number | undefined;
  /** Every room that it follows. */
  rooms(): Iterable<string>;
}

/** The realtime service, as transports see it. */
export interface Realtime {
  /** Takes a new connection, whose client must send its hello. */
  open(sink: Sink, origin: Origin): Connection;
}
