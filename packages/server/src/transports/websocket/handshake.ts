import type { IncomingMessage } from "node:http";
import { Code, ParlorError, Reason } from "@parlor/contract";
import { denied } from "../../domain/refusals.ts";
import { malformed, noSuchMethod, shuttingDown } from "../errors.ts";
import { headerFault } from "../http-server.ts";
import type { AllowedOrigins } from "../origins.ts";
import { jsonFormat, protoFormat, type WebSocketFormat } from "./formats.ts";

export const PATH = "/api/v1/realtime";
/** Where clients of MQTT look for it; the stream's path does as well. */
const MQTT_PATH = "/mqtt";
/** MQTT 5, section 6: the subprotocol, in which binary messages carry a stream of packets. */
export const MQTT = "mqtt";

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
export function refusalOfHandshake(
  request: IncomingMessage,
  origins: AllowedOrigins,
  draining: boolean,
  servesMqtt: boolean,
): HandshakeRefusal | undefined {
  const { origin, host } = request.headers;
  const fault = headerFault(request);
  if (fault !== undefined) return fault;
  const path = (request.url as string).split("?", 1)[0];
  if (path !== PATH && (path !== MQTT_PATH || !servesMqtt))
    return { status: 404, error: noSuchMethod("There is no WebSocket at this path.") };
  if (request.method !== "GET") return { status: 405, error: noSuchMethod("A WebSocket is opened with GET.") };
  // RFC 6455, section 10.2: a browser tells whose page it is, and pages of strangers must not speak for the person.
  if (origin !== undefined && !origins.allows(origin, host)) return { status: 403, error: originDenied() };
  if (request.headers["sec-websocket-version"] !== "13") return { status: 426, error: malformed("The WebSocket version must be 13.") };
  if (draining) return { status: 503, error: shuttingDown() };
  if (offeredProtocols(request).length > 0 && chosenProtocol(request, servesMqtt) === undefined)
    return { status: 400, error: unknownProtocols() };
  if (path === MQTT_PATH && chosenProtocol(request, servesMqtt) !== MQTT) return { status: 400, error: mqttOnly() };
  return undefined;
}

/** The subprotocol that is spoken: the first of the client's that is known. */
export function chosenProtocol(request: IncomingMessage, servesMqtt: boolean): string | undefined {
  return offeredProtocols(request).find((name) => formats.has(name) || (servesMqtt && name === MQTT));
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

function mqttOnly(): ParlorError {
  return new ParlorError(Code.INVALID_ARGUMENT, Reason.UNSUPPORTED_MEDIA_TYPE, "The subprotocol of this path is mqtt.");
}

function unknownProtocols(): ParlorError {
  const names = [...formats.keys()].join(" or ");
  return new ParlorError(Code.INVALID_ARGUMENT, Reason.UNSUPPORTED_MEDIA_TYPE, `The subprotocol must be ${names}.`);
}
