import type { Socket } from "node:net";
import { create } from "@bufbuild/protobuf";
import { type Goodbye, Goodbye_Reason, type ServerFrame, ServerFrameSchema } from "@parlor/contract";
import type { WebSocket } from "ws";
import type { Sink } from "../../realtime/sink.ts";
import { plainSocketOf, writeDirectly } from "../direct-write.ts";
import { endings } from "../goodbyes.ts";
import type { WebSocketFormat } from "./formats.ts";
import { PING_FRAME } from "./frames.ts";

const NOTHING = Buffer.alloc(0);

/**
 * The way out of one connection. It writes whole WebSocket frames to the socket itself; what `ws` writes in between, pongs
 * and the close frame, are whole frames too.
 */
export class WebSocketSink implements Sink {
  readonly #format: WebSocketFormat;
  /** The close code of RFC 6455 when the client broke the protocol; otherwise the goodbye's reason has one. */
  violation: number | undefined;
  readonly #socket: Socket;
  readonly #isPlain: boolean;
  readonly #webSocket: WebSocket;
  #ended = false;

  constructor(format: WebSocketFormat, socket: Socket, webSocket: WebSocket) {
    this.#format = format;
    this.#socket = socket;
    this.#isPlain = plainSocketOf(socket) !== undefined;
    this.#webSocket = webSocket;
  }

  formatFor(): WebSocketFormat {
    return this.#format;
  }

  encode(frame: ServerFrame): Uint8Array {
    return this.#format.frame(frame);
  }

  write(bytes: Uint8Array): void {
    if (this.#ended || !this.#socket.writable) return;
    if (this.#isPlain) writeDirectly(this.#socket, bytes);
    else this.#socket.write(bytes);
  }

  get queuedBytes(): number {
    return this.#socket.destroyed ? 0 : this.#socket.writableLength;
  }

  async drained(): Promise<void> {
    if (this.queuedBytes === 0) return;
    // The callback of a write is called after all writes before it, and with an error when the socket is closed instead.
    await new Promise<void>((resolve) => this.#socket.write(NOTHING, () => resolve()));
  }

  beat(): void {
    this.write(this.#format.beat);
    this.write(PING_FRAME);
  }

  end(goodbye: Goodbye): void {
    if (this.#ended) return;
    this.write(this.#format.frame(create(ServerFrameSchema, { goodbye })));
    this.#ended = true;
    this.#webSocket.close(this.violation ?? endings[goodbye.reason].webSocket, Goodbye_Reason[goodbye.reason]);
  }
}
