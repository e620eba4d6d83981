import { createServer, type IncomingMessage, type Server } from "node:http";
import type { Socket } from "node:net";
import { Code, ParlorError, Reason } from "@parlor/contract";
import { malformed, timedOut } from "./errors.ts";
import { respondRaw } from "./raw-response.ts";
import { requestIdOf } from "./request-id.ts";

const MAX_HEADERS = 100;

/** How long the server waits for a client, in milliseconds. */
export interface Patience {
  /** For the first bytes of a connection, and for all headers of a request. */
  readonly headersMs: number;
  /** For a whole request. */
  readonly requestMs: number;
}

/** The HTTP/1.1 server that REST and WebSocket share. It does not listen: it is given connections. */
export function createHttpServer({ headersMs, requestMs }: Patience): Server {
  const server: Server = createServer({
    maxHeaderSize: 16 * 1024,
    headersTimeout: headersMs,
    requestTimeout: requestMs,
    keepAliveTimeout: 65_000,
    connectionsCheckingInterval: Math.min(1_000, headersMs),
    insecureHTTPParser: false,
    // headerFault requires it, and answers with the contract's error.
    requireHostHeader: false,
    // Offers of other protocols, such as h2c, are declined by an answer in HTTP/1.1 (RFC 9110, section 7.8).
    shouldUpgradeCallback: (request) => server.listenerCount("upgrade") > 0 && request.headers.upgrade?.toLowerCase() === "websocket",
  });
  // Node drops what is above this number without a word, so it is counted by headerFault.
  server.maxHeadersCount = MAX_HEADERS + 1;
  server.on("clientError", (error: NodeJS.ErrnoException, socket: Socket) => {
    if (error.code === "ECONNRESET") socket.destroy();
    else respondRaw(socket, ...parserError(error.code), requestIdOf(undefined));
  });
  // What supervises headersTimeout and requestTimeout starts with this event.
  server.emit("listening");
  return server;
}

/** What is wrong with a request's headers that Node's parser lets through; undefined when nothing is. */
export function headerFault({
  rawHeaders,
  headers,
  httpVersion,
}: IncomingMessage): { readonly status: number; readonly error: ParlorError } | undefined {
  if (rawHeaders.length > 2 * MAX_HEADERS) return { status: 431, error: tooManyHeaders() };
  if (headers.host === undefined && httpVersion === "1.1") return { status: 400, error: malformed("The header host is missing.") };
  const once = new Set(["host", "authorization", "content-type"]);
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = (rawHeaders[i] as string).toLowerCase();
    // RFC 9112, section 3.2: two Host headers must be refused; two of the others would leave open which one counts.
    if (once.has(name) && rawHeaders.slice(i + 2).some((other, j) => j % 2 === 0 && other.toLowerCase() === name)) {
      return { status: 400, error: malformed(`The header ${name} may be given only once.`) };
    }
  }
  return undefined;
}

function tooManyHeaders(): ParlorError {
  return new ParlorError(
    Code.RESOURCE_EXHAUSTED,
    Reason.TOO_LARGE,
    `The request has more headers than the ${MAX_HEADERS} that are read, or larger ones.`,
  );
}

function parserError(code: string | undefined): [number, ParlorError] {
  switch (code) {
    case "HPE_HEADER_OVERFLOW":
      return [431, tooManyHeaders()];
    case "HPE_CHUNK_EXTENSIONS_OVERFLOW":
      return [413, new ParlorError(Code.RESOURCE_EXHAUSTED, Reason.TOO_LARGE, "The chunk extensions are too large.")];
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return [408, timedOut()];
    default:
      return [400, malformed("This is not a well-formed HTTP/1.1 request.")];
  }
}
