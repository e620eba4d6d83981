import type { IncomingMessage } from "node:http";
import { Code, ParlorError, Reason } from "@parlor/contract";
import { denied } from "../../domain/refusals.ts";
import { malformed, noSuchMethod, shuttingDown } from "../errors.ts";
import { headerFault } from "../http-server.ts";
import type { AllowedOrigins } from "../origins.ts";
import { jsonFormat, protoFormat, type WebSocketFormat } from "./formats.ts";

export const PATH = "/api/v1/realtime";

/** The subprotocols, and how each writes its frames. */
export const formats: ReadonlyMap<string, WebSocketFormat> = new Map([
  ["parlor.v1.json", jsonFormat],
  ["parlor.v1.proto", protoFormat],
]);

export interface HandshakeRefusal {
  readonly status: number;
  readonly error: ParlorError;
}

/** Why a request to open a WebSocket is refused, before anything of RFC 6455 is looked at; undefined when it is not. */
export function refusalOfHandshake(request: IncomingMessage, origins: AllowedOrigins, draining: boolean): HandshakeRefusal | undefined {
  const { origin, host } = request.headers;
  const fault = headerFault(request);
  if (fault !== undefined) return fault;
  if ((request.url as string).split("?", 1)[0] !== PATH) return { status: 404, error: noSuchMethod("There is no WebSocket at this path.") };
  if (request.method !== "GET") return { status: 405, error: noSuchMethod("A WebSocket is opened with GET.") };
  // RFC 6455, section 10.2: a browser tells whose page it is, and pages of strangers must not speak for the person.
  if (origin !== undefined && !origins.allows(origin, host)) return { status: 403, error: originDenied() };
  if (request.headers["sec-websocket-version"] !== "13") return { status: 426, error: malformed("The WebSocket version must be 13.") };
  if (draining) return { status: 503, error: shuttingDown() };
  if (offeredProtocols(request).length > 0 && chosenProtocol(request) === undefined) return { status: 400, error: unknownProtocols() };
  return undefined;
}

/** The subprotocol that is spoken: the first of the client's that is known. */
export function chosenProtocol(request: IncomingMessage): string | undefined {
  return offeredProtocols(request).find((name) => formats.has(name));
}

function offeredProtocols(request: IncomingMessage): readonly string[] {
  return (request.headers["sec-websocket-protocol"] ?? "")
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
}

function originDenied(): ParlorError {
  return denied(Reason.ORIGIN_NOT_ALLOWED, "Pages of this origin may not use the server.");
}

function unknownProtocols(): ParlorError {
  const names = [...formats.keys()].join(" or ");
  return new ParlorError(Code.INVALID_ARGUMENT, Reason.UNSUPPORTED_MEDIA_TYPE, `The subprotocol must be ${names}.`);
}
