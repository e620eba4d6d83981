import type { IncomingMessage, Server } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { Goodbye_Reason, type ParlorError } from "@parlor/contract";
import { createWebSocketStream, type ServerOptions, type WebSocket, WebSocketServer } from "ws";
import type { Log } from "../../ports/log.ts";
import type { Connection, Realtime } from "../../realtime/connection.ts";
import { bearerOf } from "../bearer.ts";
import type { ClientAddresses } from "../client-address.ts";
import { httpStatusOf, malformed, refusalOf, tooLarge } from "../errors.ts";
import type { AllowedOrigins } from "../origins.ts";
import type { MqttDoor } from "../protocols.ts";
import { respondRaw } from "../raw-response.ts";
import { requestIdOf } from "../request-id.ts";
import { decodeFrame } from "./client-frames.ts";
import { jsonFormat, type WebSocketFormat } from "./formats.ts";
import { GuardedWebSocket } from "./guarded.ts";
import { chosenProtocol, formats, MQTT, refusalOfHandshake } from "./handshake.ts";
import { WebSocketSink } from "./sink.ts";

export interface WebSocketOptions {
  readonly realtime: Realtime;
  readonly addresses: ClientAddresses;
  readonly origins: AllowedOrigins;
  /** Largest message that is read. */
  readonly maxBytes: number;
  /** Takes connections of the subprotocol mqtt; left out, there is none. */
  readonly mqtt?: MqttDoor | undefined;
  readonly log: Log;
}

// What may wait to be sent before pings are left unanswered, so that a client that never reads cannot pile up pongs.
const PONG_BYTES = 16 * 1024;

/** Serves the stream on the WebSocket upgrades of an HTTP server. The function that is returned refuses new ones from then on. */
export function serveWebSockets(http: Server, options: WebSocketOptions): () => void {
  let draining = false;
  const ids = new WeakMap<IncomingMessage, string>();
  const upgrades = new WebSocketServer(settings(options));
  upgrades.on("headers", (headers, request) => void headers.push(`x-request-id: ${ids.get(request)}`));
  upgrades.on("wsClientError", (error, socket, request) =>
    respondRaw(socket, 400, malformed(`${error.message}.`), ids.get(request) as string),
  );
  http.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const requestId = requestIdOf(request.headers["x-request-id"]);
    ids.set(request, requestId);
    const refusal = refusalOfHandshake(request, options.origins, draining, options.mqtt !== undefined);
    if (refusal !== undefined) return respondRaw(socket, refusal.status, refusal.error, requestId, ["sec-websocket-version: 13"]);
    try {
      const token = bearerOf(request.headers.authorization);
      upgrades.handleUpgrade(request, socket, head, (webSocket) => open(webSocket as GuardedWebSocket, request, requestId, token, options));
    } catch (thrown) {
      const error = refusalOf(thrown, requestId, options.log);
      respondRaw(socket, httpStatusOf(error), error, requestId);
    }
  });
  return () => {
    draining = true;
  };
}

function settings({ maxBytes, mqtt }: WebSocketOptions): ServerOptions & { readonly closeTimeout: number } {
  return {
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: maxBytes,
    maxFragments: 256,
    maxBufferedChunks: 1024,
    autoPong: false,
    // How long the client has to answer a close frame.
    closeTimeout: 3_000,
    handleProtocols: (_offered, request) => chosenProtocol(request, mqtt !== undefined) ?? false,
    WebSocket: GuardedWebSocket,
  };
}

/** What lives as long as the connection is made in `attach`, so that the request does not live as long. */
function open(
  webSocket: GuardedWebSocket,
  request: IncomingMessage,
  requestId: string,
  token: string | undefined,
  options: WebSocketOptions,
): void {
  const socket = request.socket;
  const address = options.addresses.of(socket.remoteAddress, request.headers["x-forwarded-for"] as string | undefined);
  if (webSocket.protocol === MQTT) return void options.mqtt?.(binaryStream(webSocket), address);
  const format = formats.get(webSocket.protocol) ?? jsonFormat;
  const sink = new WebSocketSink(format, socket, webSocket);
  const connection = options.realtime.open(sink, { protocol: "websocket", address, requestId, ...(token === undefined ? {} : { token }) });
  attach(webSocket, socket, sink, connection, options.maxBytes);
}

function attach(webSocket: GuardedWebSocket, socket: Socket, sink: WebSocketSink, connection: Connection, maxBytes: number): void {
  webSocket.on("message", (payload: Buffer, isBinary) => receive(connection, sink.formatFor(), payload, isBinary));
  webSocket.on("pong", () => connection.alive());
  webSocket.on("ping", (payload) => {
    connection.alive();
    answerPing(webSocket, socket, payload);
  });
  webSocket.on("error", () => {});
  webSocket.onBreach = (code) => {
    sink.violation = code;
    connection.reject(code === 1009 ? Goodbye_Reason.FRAME_TOO_LARGE : Goodbye_Reason.BAD_FRAME, breachError(code, maxBytes));
  };
  webSocket.once("close", () => connection.closed());
}

/** MQTT 5, section 6: packets come in binary messages, cut anywhere; another kind of message ends the connection. */
function binaryStream(webSocket: WebSocket): Duplex {
  webSocket.on("message", (_, isBinary) => {
    if (!isBinary) webSocket.close(1003);
  });
  const stream = createWebSocketStream(webSocket, { allowHalfOpen: false });
  return stream.on("error", () => stream.destroy());
}

function receive(connection: Connection, format: WebSocketFormat, payload: Buffer, isBinary: boolean): void {
  const decoded = decodeFrame(format, payload, isBinary);
  if ("frame" in decoded) connection.receive(decoded.frame);
  else if (decoded.id === undefined) connection.reject(Goodbye_Reason.BAD_FRAME, decoded.error);
  else connection.refuse(decoded.id, decoded.error);
}

function answerPing(webSocket: GuardedWebSocket, socket: Socket, payload: Buffer): void {
  if (webSocket.readyState === GuardedWebSocket.OPEN && socket.writableLength < PONG_BYTES) webSocket.pong(payload);
}

function breachError(code: number, maxBytes: number): ParlorError {
  switch (code) {
    case 1007:
      return malformed("The text is not valid UTF-8.");
    case 1008:
      return malformed("The message came in too many pieces.");
    case 1009:
      return tooLarge("message", maxBytes);
    default:
      return malformed("This is not a frame that RFC 6455 allows.");
  }
}
