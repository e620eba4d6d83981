import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Goodbye, HelloSchema, ParlorError, ServerFrame, Welcome } from "@parlor/contract";
import type { Clock } from "../clock.ts";
import { brokenContract, timedOut, toParlorError, unavailable } from "../errors.ts";
import type { ClientFrameInit, FrameFormat } from "./frames.ts";
import { Liveness } from "./liveness.ts";
import type { WebSocketConstructor, WebSocketLike } from "./socket.ts";

/** How a connection ended: by the server's goodbye, or without one by an error. */
export type ConnectionEnd = { readonly goodbye: Goodbye } | { readonly error: ParlorError };

export interface ConnectionOptions {
  readonly url: string;
  readonly WebSocket: WebSocketConstructor;
  readonly format: FrameFormat;
  readonly clock: Clock;
  readonly hello: MessageInitShape<typeof HelloSchema>;
  /** The session is open. Comes first, and once. */
  readonly onWelcome: (welcome: Welcome) => void;
  /** Events and replies; the first ones may have come together with the welcome. */
  readonly onFrame: (frame: ServerFrame) => void;
  /** The connection is over. Comes last, and once; not after `close`. */
  readonly onEnd: (end: ConnectionEnd) => void;
}

/** Milliseconds for the network, the hello and the welcome together. */
const WELCOME_WITHIN_MS = 15_000;
/** WebSocket's code for a normal end. */
const NORMAL_CLOSURE = 1000;

/** One WebSocket, from its opening to its end: hello, welcome, frames, goodbye. It is not used again. */
export class Connection {
  readonly #options: ConnectionOptions;
  readonly #socket: WebSocketLike;
  #cancelDeadline: () => void;
  #liveness: Liveness | undefined;
  #over = false;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    const { url, WebSocket, format, clock } = options;
    this.#socket = new WebSocket(url, [format.subprotocol]);
    this.#socket.binaryType = "arraybuffer";
    this.#cancelDeadline = clock.after(WELCOME_WITHIN_MS, () => this.#end({ error: timedOut() }));
    this.#socket.addEventListener("open", () => this.#opened());
    this.#socket.addEventListener("message", ({ data }) => this.#received(data));
    this.#socket.addEventListener("close", ({ code }) =>
      this.#end({ error: unavailable(`The connection ended without a goodbye (code ${code}).`) }),
    );
    // An error event tells nothing more than the close event that always follows, but must be listened to.
    this.#socket.addEventListener("error", () => undefined);
  }

  /**
   * Sends a frame; does nothing once the connection is over.
   * @throws ParlorError RESOURCE_EXHAUSTED when the frame is too large
   */
  send(frame: ClientFrameInit): void {
    const data = this.#options.format.encode(frame);
    if (this.#over) return;
    this.#socket.send(data);
    this.#liveness?.said();
  }

  /** Ends the connection from this side, without `onEnd`. */
  close(): void {
    if (this.#over) return;
    this.#over = true;
    this.#cancelDeadline();
    this.#liveness?.stop();
    // The closing handshake is not waited for: on a dead network it would not end.
    this.#socket.close(NORMAL_CLOSURE);
  }

  #end(end: ConnectionEnd): void {
    if (this.#over) return;
    this.close();
    this.#options.onEnd(end);
  }

  #opened(): void {
    if (this.#over) return;
    try {
      if (this.#socket.protocol !== this.#options.format.subprotocol) throw unavailable("The server does not speak this subprotocol.");
      this.send({ kind: { case: "hello", value: this.#options.hello } });
    } catch (error) {
      this.#end({ error: toParlorError(error) });
    }
  }

  #received(data: unknown): void {
    if (this.#over) return;
    this.#liveness?.heard();
    try {
      this.#handle(this.#options.format.decode(data));
    } catch (error) {
      this.#end({ error: toParlorError(error) });
    }
  }

  #handle(frame: ServerFrame): void {
    if (frame.welcome !== undefined) this.#welcomed(frame.welcome);
    if (this.#liveness !== undefined && !this.#over) this.#options.onFrame(frame);
    if (frame.goodbye !== undefined) this.#end({ goodbye: frame.goodbye });
    if (this.#liveness === undefined && !this.#over) throw brokenContract("The server did not begin with a welcome.");
  }

  #welcomed(welcome: Welcome): void {
    if (this.#liveness !== undefined) throw brokenContract("The server sent a second welcome.");
    this.#cancelDeadline();
    this.#liveness = new Liveness({
      clock: this.#options.clock,
      heartbeatMs: welcome.heartbeatMs,
      ping: () => this.send({ kind: { case: "ping", value: {} } }),
      dead: () => this.#end({ error: timedOut() }),
    });
    this.#options.onWelcome(welcome);
  }
}
