import type { Socket } from "node:net";
import { create } from "@bufbuild/protobuf";
import { type Goodbye, Goodbye_Reason, type ServerFrame, ServerFrameSchema } from "@parlor/contract";
import type { WebSocket } from "ws";
import type { FastPath, Sink } from "../../realtime/sink.ts";
import { endings } from "../goodbyes.ts";
import { Outlet } from "../outlet.ts";
import type { WebSocketFormat } from "./formats.ts";
import { PING_FRAME } from "./frames.ts";

/**
 * The way out of one connection. It writes whole WebSocket frames to the socket itself; what `ws` writes in between, pongs
 * and the close frame, are whole frames too.
 */
export class WebSocketSink implements Sink {
  readonly #format: WebSocketFormat;
  /** The close code of RFC 6455 when the client broke the protocol; otherwise the goodbye's reason has one. */
  violation: number | undefined;
  readonly #outlet: Outlet;
  readonly #webSocket: WebSocket;
  #ended = false;

  constructor(format: WebSocketFormat, socket: Socket, webSocket: WebSocket) {
    this.#format = format;
    this.#outlet = new Outlet(socket);
    this.#webSocket = webSocket;
  }

  formatFor(): WebSocketFormat {
    return this.#format;
  }

  fastPathOf(): FastPath {
    return { format: this.#format, passage: this.#outlet };
  }

  encode(frame: ServerFrame): Uint8Array {
    return this.#format.frame(frame);
  }

  write(bytes: Uint8Array): void {
    if (!this.#ended) this.#outlet.write(bytes);
  }

  get queuedBytes(): number {
    return this.#outlet.queuedBytes;
  }

  drained(): Promise<void> {
    return this.#outlet.drained();
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
