import { constants, type Http2Server, type Http2Session, type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import type { Server } from "@grpc/grpc-js";
import { Reason } from "@parlor/contract";
import { unauthenticated } from "../../domain/refusals.ts";
import { type Log, noLog } from "../../ports/log.ts";
import { noSuchMethod, refusalOf, timedOut } from "../errors.ts";
import { requestIdOf } from "../request-id.ts";
import { compressionRefused, MessageReader } from "./messages.ts";
import type { ServiceTrust } from "./service-trust.ts";
import { refuse } from "./status.ts";

export type StreamHandler = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void;

/** Nobody who is not signed in has more to say than a user name, a password or a token. */
const STRANGER_BYTES = 16 * 1024;
/** Another service has the streams of all its clients on one connection. */
const SERVICE_STREAMS = 1_000_000;
const ofServices = new WeakSet<Http2Session>();

export interface GateOptions {
  /** The methods that are served by whom; grpc-js serves those without a handler. */
  readonly paths: ReadonlyMap<string, StreamHandler | undefined>;
  /** Those with one request, which must be there in time. */
  readonly unary: ReadonlySet<string>;
  /** Who is another service. */
  readonly trust: ServiceTrust;
  /** The methods that services alone may call; clients may call the others. */
  readonly servicesOnly: ReadonlySet<string>;
  /** The largest messages of the methods that are no part of the contract. */
  readonly internal: ReadonlyMap<string, number>;
  readonly maxBytes: number;
  /** How long a request may take to arrive, in milliseconds. */
  readonly requestMs: number;
  readonly log: Log;
}

/**
 * Stands before grpc-js and looks at every call first: what grpc-js would decompress, or refuse without the contract's error,
 * does not reach it.
 */
export function putGate(http2: Http2Server, options: GateOptions): void {
  const grpcJs = http2.listeners("stream") as StreamHandler[];
  http2.removeAllListeners("stream");
  http2.on("stream", (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    stream.on("error", () => {});
    // A client may have reset it already, and then nothing can be answered.
    if (stream.destroyed || stream.closed) return;
    try {
      admit(stream, headers, grpcJs, options);
    } catch (error) {
      options.log.error({ err: error }, "A gRPC call could not be begun.");
      stream.close(constants.NGHTTP2_INTERNAL_ERROR);
    }
  });
}

function admit(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  grpcJs: readonly StreamHandler[],
  { paths, unary, trust, servicesOnly, internal, maxBytes, requestMs }: GateOptions,
): void {
  const requestId = requestIdOf(headers["x-request-id"]);
  const path = headers[":path"] ?? "";
  const own = paths.get(path);
  const isService = trust.isProven(headers, stream.session);
  if (isService && stream.session) welcomeService(stream.session);
  if (!/^application\/grpc(\+proto)?$/.test(headers["content-type"] ?? "")) refuseOtherContent(stream);
  else if (!paths.has(path)) refuse(stream, noSuchMethod("There is no such method."), requestId);
  else if (!isService && (servicesOnly.has(path) || trust.isClaimed(headers))) refuse(stream, notAService(), requestId);
  else if ((headers["grpc-encoding"] ?? "identity") !== "identity") refuse(stream, compressionRefused(), requestId);
  else if (own !== undefined) own(stream, headers);
  else {
    const isStranger = headers.authorization === undefined && !isService;
    const most = internal.get(path) ?? (isStranger ? Math.min(STRANGER_BYTES, maxBytes) : maxBytes);
    checkMessages(stream, most, requestId);
    if (unary.has(path)) watchArrival(stream, requestMs, requestId);
    for (const serve of grpcJs) serve(stream, headers);
  }
}

/** The HTTP/2 server that a gRPC server made for its injector. grpc-js keeps it to itself; there is no other way to its streams. */
export function http2ServerOf(server: Server): Http2Server {
  const [http2] = [...(server as unknown as { readonly http2Servers: ReadonlyMap<Http2Server, unknown> }).http2Servers.keys()];
  if (http2 === undefined || http2.listenerCount("stream") === 0)
    throw new Error("this version of grpc-js keeps its HTTP/2 server elsewhere");
  return http2;
}

function notAService() {
  return unauthenticated(Reason.NOT_A_SERVICE, "Only another service of this server may call like this.");
}

function welcomeService(session: Http2Session): void {
  if (ofServices.has(session)) return;
  ofServices.add(session);
  session.settings({ maxConcurrentStreams: SERVICE_STREAMS });
}

function refuseOtherContent(stream: ServerHttp2Stream): void {
  stream.respond({ ":status": 415 }, { endStream: true });
  stream.close(constants.NGHTTP2_NO_ERROR);
}

/** Reads along with grpc-js, one step ahead of it, and refuses messages for their prefix. */
function checkMessages(stream: ServerHttp2Stream, maxBytes: number, requestId: string): void {
  const reader = new MessageReader(maxBytes);
  stream.on("data", (bytes: Buffer) => {
    if (stream.closed) return;
    try {
      reader.read(bytes);
    } catch (thrown) {
      refuse(stream, refusalOf(thrown, requestId, noLog), requestId);
    }
  });
}

/** Without it, whoever never ends a request would keep what has come of it in memory for as long as the connection lasts. */
function watchArrival(stream: ServerHttp2Stream, requestMs: number, requestId: string): void {
  const timer = setTimeout(() => refuse(stream, timedOut(), requestId), requestMs);
  stream.once("end", () => clearTimeout(timer));
  stream.once("close", () => clearTimeout(timer));
}
