import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import { fromBinary } from "@bufbuild/protobuf";
import { type ClientFrame, ClientFrameSchema, Code, Goodbye_Reason, ParlorError, RealtimeService, Reason } from "@parlor/contract";
import { type Departure, readDepartureNote } from "../../domain/gateway-note.ts";
import type { Log } from "../../ports/log.ts";
import type { Connection, Origin, Realtime } from "../../realtime/connection.ts";
import { bearerOf } from "../bearer.ts";
import type { ClientAddresses } from "../client-address.ts";
import { malformed, refusalOf } from "../errors.ts";
import { requestIdOf } from "../request-id.ts";
import { INTERNAL_BYTES, MessageReader } from "./messages.ts";
import { callOf, timeoutMsOf } from "./metadata.ts";
import { GrpcSink, RelaySink } from "./sink.ts";
import { refuse } from "./status.ts";

export const CONNECT_PATH = `/${RealtimeService.typeName}/${RealtimeService.method.connect.name}`;

export interface ConnectDeps {
  readonly realtime: Realtime;
  readonly addresses: ClientAddresses;
  readonly maxBytes: number;
  readonly log: Log;
}

/**
 * Serves one RealtimeService.Connect on its HTTP/2 stream. grpc-js would copy every message for every reader, and has no way
 * to cut the stream of a reader that does not read.
 */
export function serveConnect(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, deps: ConnectDeps): void {
  const requestId = requestIdOf(headers["x-request-id"]);
  let origin: Origin;
  let relayed: boolean;
  try {
    const { protocol, address, forwarded = false } = callOf(headers, stream.session?.socket.remoteAddress, deps.addresses);
    const token = bearerOf(headers.authorization);
    origin = { protocol, address, requestId, ...(token === undefined ? {} : { token }) };
    relayed = forwarded;
  } catch (thrown) {
    refuse(stream, refusalOf(thrown, requestId, deps.log), requestId);
    return;
  }
  stream.respond(
    { ":status": 200, "content-type": "application/grpc+proto", "grpc-accept-encoding": "identity", "x-request-id": requestId },
    { waitForTrailers: true },
  );
  const sink = relayed ? new RelaySink(stream, requestId) : new GrpcSink(stream, requestId, () => connection.alive());
  const connection = deps.realtime.open(sink, origin);
  // A client that will say nothing more may still listen: `end` is not a reason to close.
  const take = (message: Buffer): void => connection.receive(decode(message));
  stream.on("data", relayed ? readerOf(connection, INTERNAL_BYTES, relay(connection, take)) : readerOf(connection, deps.maxBytes, take));
  if (relayed) leaveWithGateway(stream, connection, sink);
  stream.once("close", () => connection.closed());
  watchDeadline(stream, headers, sink);
}

/** Beside a client's frames, its gateway sends empty messages, which are signs of the client's life, and notes. */
function relay(connection: Connection, take: (message: Buffer) => void): (message: Buffer) => void {
  return (message) => {
    const note = decodeNote(message);
    if (note) connection.offlineAfter(note.offlineAfterMs);
    else if (message.length === 0) connection.alive();
    else take(message);
  };
}

/** A gateway says in order that its client is gone. If it does not, it is lost itself, and its clients will be back. */
function leaveWithGateway(stream: ServerHttp2Stream, connection: Connection, sink: GrpcSink): void {
  stream.once("end", () => {
    // Node ends what was reset as well.
    if (stream.aborted) return;
    connection.closed();
    sink.finish(Code.OK, "The client is gone.");
  });
  stream.once("close", () => connection.offlineAfter(undefined));
}

function readerOf(connection: Connection, maxBytes: number, take: (message: Buffer) => void): (bytes: Buffer) => void {
  const reader = new MessageReader(maxBytes);
  let broken = false;
  return (bytes) => {
    if (broken) return;
    try {
      for (const message of reader.read(bytes)) take(message);
    } catch (thrown) {
      broken = true;
      const error = thrown as ParlorError;
      connection.reject(error.reason === Reason.TOO_LARGE ? Goodbye_Reason.FRAME_TOO_LARGE : Goodbye_Reason.BAD_FRAME, error);
    }
  };
}

function decode(message: Buffer): ClientFrame {
  try {
    return fromBinary(ClientFrameSchema, message, { readUnknownFields: false });
  } catch (cause) {
    throw malformed("The message is not a ClientFrame in protobuf.", cause);
  }
}

function decodeNote(message: Buffer): Departure | undefined {
  try {
    return readDepartureNote(message);
  } catch (cause) {
    throw malformed("The message is not a GatewayNote in protobuf.", cause);
  }
}

function watchDeadline(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, sink: GrpcSink): void {
  const timeoutMs = timeoutMsOf(headers["grpc-timeout"]);
  if (timeoutMs === undefined) return;
  const late = new ParlorError(Code.DEADLINE_EXCEEDED, Reason.TIMEOUT, "The deadline of the call has passed.");
  const timer = setTimeout(() => sink.finish(late.code, late.message, late), timeoutMs);
  stream.once("close", () => clearTimeout(timer));
}
