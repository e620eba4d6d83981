import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { create, fromBinary, fromJsonString, type MessageInitShape, toBinary, toJsonString } from "@bufbuild/protobuf";
import { type ClientFrame, ClientFrameSchema, type Hello, ServerFrameSchema, type WelcomeSchema } from "@parlor/contract";
import { type WebSocket, WebSocketServer } from "ws";
import { ME } from "./events.ts";
import { Queue } from "./queue.ts";

export interface HttpAnswer {
  readonly status?: number;
  readonly headers?: Record<string, string>;
  readonly body: string;
}

export interface HttpRequest {
  /** `GET /api/v1/rooms?query=x` */
  readonly line: string;
  readonly token: string | undefined;
  readonly body: unknown;
}

type ServerFrameInit = MessageInitShape<typeof ServerFrameSchema>;

/** The server's end of one WebSocket, moved by a test by hand. */
export class Peer {
  readonly #socket: WebSocket;
  readonly #frames = new Queue<ClientFrame>();
  /** Resolves with the close code. */
  readonly closed: Promise<number>;

  constructor(socket: WebSocket) {
    this.#socket = socket;
    this.closed = once(socket, "close").then(([code]) => code as number);
    socket.on("message", (data, binary) => {
      const bytes = data as Buffer;
      this.#frames.put(binary ? fromBinary(ClientFrameSchema, bytes) : fromJsonString(ClientFrameSchema, bytes.toString()));
    });
  }

  get subprotocol(): string {
    return this.#socket.protocol;
  }

  /** The next frame of the client. */
  frame(): Promise<ClientFrame> {
    return this.#frames.take();
  }

  get unread(): number {
    return this.#frames.size;
  }

  async hello(): Promise<Hello> {
    const { kind } = await this.frame();
    if (kind.case !== "hello") throw new Error(`a hello was due, and ${kind.case} came`);
    return kind.value;
  }

  send(frame: ServerFrameInit): void {
    const message = create(ServerFrameSchema, frame);
    const json = this.subprotocol === "parlor.v1.json";
    this.#socket.send(json ? toJsonString(ServerFrameSchema, message, { alwaysEmitImplicit: true }) : toBinary(ServerFrameSchema, message));
  }

  /** Anything at all, in place of a frame. */
  sendRaw(data: string | Uint8Array): void {
    this.#socket.send(data);
  }

  welcome(
    rooms: NonNullable<MessageInitShape<typeof WelcomeSchema>["rooms"]> = [],
    rest: Omit<ServerFrameInit, "welcome" | "$typeName"> = {},
  ): void {
    this.send({ ...rest, welcome: { connectionId: "c", sessionId: "s", user: { id: ME }, heartbeatMs: 25_000, rooms } });
  }

  /** Ends the connection as a dying network or process does. */
  drop(): void {
    this.#socket.terminate();
  }
}

/** A server that a test plays by hand: it does nothing of its own accord. */
export class WireServer implements AsyncDisposable {
  readonly #http = createServer();
  readonly #sockets = new WebSocketServer({ server: this.#http, path: "/api/v1/realtime", handleProtocols: ([first]) => first ?? false });
  readonly #peers = new Queue<Peer>();
  readonly requests: HttpRequest[] = [];
  /** Answers an HTTP request; undefined destroys the socket. */
  answer: (request: HttpRequest) => HttpAnswer | undefined | Promise<HttpAnswer | undefined> = () => ({ status: 404, body: "{}" });

  static async start(): Promise<WireServer> {
    const server = new WireServer();
    server.#sockets.on("connection", (socket) => server.#peers.put(new Peer(socket)));
    server.#http.on("request", (request, response) => {
      void server.#respond(request).then((answer) => {
        if (answer === undefined) request.socket.destroy();
        else response.writeHead(answer.status ?? 200, { "content-type": "application/json", ...answer.headers }).end(answer.body);
      });
    });
    server.#http.listen(0, "127.0.0.1");
    await once(server.#http, "listening");
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#http.address() as AddressInfo).port}`;
  }

  /** The next connection of a client. */
  accept(): Promise<Peer> {
    return this.#peers.take();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets.clients) socket.terminate();
    this.#http.closeAllConnections();
    this.#http.close();
    await once(this.#http, "close");
  }

  async #respond(request: IncomingMessage): Promise<HttpAnswer | undefined> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks).toString();
    const heard: HttpRequest = {
      line: `${request.method} ${request.url}`,
      token: request.headers.authorization?.replace("Bearer ", ""),
      body: body === "" ? undefined : JSON.parse(body),
    };
    this.requests.push(heard);
    return this.answer(heard);
  }
}
