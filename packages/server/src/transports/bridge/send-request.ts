import { create, fromBinary } from "@bufbuild/protobuf";
import { decodeJson, type SendMessageRequest, SendMessageRequestSchema } from "@parlor/contract";
import { malformed } from "../errors.ts";
import { textOf } from "../utf8.ts";

const PROTOBUF = new Set(["application/protobuf", "application/x-protobuf"]);

/**
 * The send that a payload asks for. With a content type it is JSON, protobuf or plain text; without, it is JSON when it is an
 * object, else plain text. The room comes from the topic: a payload may repeat it, and not name another.
 * @throws ParlorError INVALID_ARGUMENT
 */
export function sendRequest(roomId: string, payload: Buffer, contentType: string | undefined): SendMessageRequest {
  const request = read(payload, contentType?.split(";", 1)[0]?.trim().toLowerCase());
  if (request.roomId !== "" && request.roomId !== roomId) throw malformed("The room of the payload is not that of the topic.");
  request.roomId = roomId;
  return request;
}

function read(payload: Buffer, contentType: string | undefined): SendMessageRequest {
  if (contentType !== undefined && PROTOBUF.has(contentType)) return readBinary(payload);
  const text = textOf(payload);
  const isJson = contentType === "application/json" || (contentType === undefined && text.trimStart().startsWith("{"));
  return isJson ? decodeJson(SendMessageRequestSchema, text) : create(SendMessageRequestSchema, { text });
}

function readBinary(payload: Buffer): SendMessageRequest {
  try {
    return fromBinary(SendMessageRequestSchema, payload, { readUnknownFields: false });
  } catch (cause) {
    throw malformed("The payload is not a SendMessageRequest in protobuf.", cause);
  }
}
