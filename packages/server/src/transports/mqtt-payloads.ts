// What the payloads of MQTT hold, for the listener and for the bridge.
import { create, type DescMessage, fromBinary, type MessageShape } from "@bufbuild/protobuf";
import { Code, decodeJson, invalidFields, ParlorError, Reason, type SendMessageRequest, SendMessageRequestSchema } from "@parlor/contract";
import type { IPublishPacket } from "mqtt-packet";
import { malformed } from "./errors.ts";
import { textOf } from "./utf8.ts";

type Kind = "json" | "text" | "protobuf" | "any";

const kinds: ReadonlyMap<string, Kind> = new Map([
  ["application/json", "json"],
  ["text/plain", "text"],
  ["application/protobuf", "protobuf"],
  ["application/x-protobuf", "protobuf"],
]);

/** What a payload is said to be (MQTT 5, section 3.3.2.3.9); without a content type it is looked at. @throws ParlorError */
function kindOf({ properties }: IPublishPacket): Kind {
  const type = properties?.contentType;
  if (type === undefined) return "any";
  const kind = kinds.get((type.split(";", 1)[0] as string).trim().toLowerCase());
  if (kind) return kind;
  throw new ParlorError(
    Code.INVALID_ARGUMENT,
    Reason.UNSUPPORTED_MEDIA_TYPE,
    "The content type must be application/json, text/plain or application/protobuf.",
  );
}

export function bytesOf({ payload }: IPublishPacket): Buffer {
  return typeof payload === "string" ? Buffer.from(payload) : payload;
}

/** The request that a payload holds; nothing stands for an empty one. @throws ParlorError INVALID_ARGUMENT */
export function requestOf<S extends DescMessage>(schema: S, packet: IPublishPacket): MessageShape<S> {
  const payload = bytesOf(packet);
  if (kindOf(packet) === "protobuf") return fromProtobuf(schema, payload);
  return payload.length === 0 ? create(schema) : decodeJson(schema, textOf(payload));
}

/** A message to send: a SendMessageRequest, or its text. @throws ParlorError INVALID_ARGUMENT */
export function sendRequestOf(packet: IPublishPacket): SendMessageRequest {
  const payload = bytesOf(packet);
  const kind = kindOf(packet);
  if (kind === "protobuf") return fromProtobuf(SendMessageRequestSchema, payload);
  const text = textOf(payload);
  if (kind === "json" || (kind === "any" && isRequest(text))) return decodeJson(SendMessageRequestSchema, text);
  return create(SendMessageRequestSchema, { text });
}

/** Whether a payload of no said type is a request: a JSON object that has a text. Anything else is a text itself. */
function isRequest(text: string): boolean {
  if (!text.trimStart().startsWith("{")) return false;
  try {
    const value = JSON.parse(text) as object;
    return Object.hasOwn(value, "text");
  } catch {
    return false;
  }
}

/** The word in a payload for me/presence: as it is, or as the status of a JSON object; "" when there is none. */
export function presenceOf(payload: Buffer): string {
  const text = payload.toString("utf8").trim();
  if (!text.startsWith("{")) return text.toUpperCase();
  try {
    const { status } = JSON.parse(text) as { readonly status?: unknown };
    return typeof status === "string" ? status.toUpperCase() : "";
  } catch {
    return "";
  }
}

/** @throws ParlorError INVALID_FIELDS when a request names another room than the topic */
export function requireRoom(named: string, roomId: string): void {
  if (named !== "" && named !== roomId) throw invalidFields({ field: "roomId", description: "must be the room of the topic, or left out" });
}

function fromProtobuf<S extends DescMessage>(schema: S, payload: Buffer): MessageShape<S> {
  try {
    return fromBinary(schema, payload, { readUnknownFields: false });
  } catch (cause) {
    throw malformed(`The payload is not a ${schema.name} in protobuf.`, cause);
  }
}
