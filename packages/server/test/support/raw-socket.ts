// A WebSocket that does only what a test tells it: it need not answer pings, say hello, or read.
import { once } from "node:events";
import type { Socket } from "node:net";
import { fromJsonString } from "@bufbuild/protobuf";
import { type Goodbye_Reason, type ServerFrame, ServerFrameSchema } from "@parlor/contract";
import { WebSocket } from "ws";
import { Inbox } from "./inbox.ts";

export class RawSocket implements Disposable {
  readonly frames = new Inbox<ServerFrame>();
  /** The close code of the WebSocket. */
  readonly closed: Promise<number>;
  readonly #webSocket: WebSocket & { readonly _socket?: Socket };

  private constructor(webSocket: WebSocket) {
    this.#webSocket = webSocket;
    this.closed = new Promise((resolve) => webSocket.once("close", resolve));
    webSocket.on("error", () => undefined);
    webSocket.on("message", (data: Buffer) => this.frames.put(fromJsonString(ServerFrameSchema, data.toString())));
  }

  /** Connects; says hello when there is a token. */
  static async open(url: string, { token = "", autoPong = true } = {}): Promise<RawSocket> {
    const webSocket = new WebSocket(`${url.replace("http", "ws")}/api/v1/realtime`, "parlor.v1.json", { autoPong });
    const raw = new RawSocket(webSocket);
    await once(webSocket, "open");
    if (token !== "") {
      raw.say({ hello: { token } });
      await raw.frames.find(({ welcome }) => welcome !== undefined);
    }
    return raw;
  }

  say(frame: object): void {
    this.#webSocket.send(JSON.stringify(frame));
  }

  /** Reads no more from the network. */
  stopReading(): void {
    this.#webSocket._socket?.pause();
  }

  readOn(): void {
    this.#webSocket._socket?.resume();
  }

  async goodbye(): Promise<{ readonly reason: Goodbye_Reason | undefined; readonly code: number }> {
    const code = await this.closed;
    return { reason: this.frames.items.at(-1)?.goodbye?.reason, code };
  }

  [Symbol.dispose](): void {
    this.#webSocket.terminate();
  }
}
