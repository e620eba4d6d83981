import { fromBinary } from "@bufbuild/protobuf";
import { type ClientFrame, ClientFrameSchema, decodeJson, type ParlorError, Reason } from "@parlor/contract";
import type { FrameFormat } from "../../realtime/sink.ts";
import { malformed } from "../errors.ts";
import { textOf } from "../utf8.ts";
import { jsonFormat } from "./formats.ts";

/** A frame that could be read, or why it could not, with its id where that could be read. */
export type Decoded = { readonly frame: ClientFrame } | { readonly error: ParlorError; readonly id: number | undefined };

/** Reads the payload of one WebSocket message. */
export function decodeFrame(format: FrameFormat, payload: Buffer, isBinary: boolean): Decoded {
  if (isBinary === (format === jsonFormat)) {
    return { error: malformed(`This subprotocol speaks in ${isBinary ? "text" : "binary"} messages.`), id: undefined };
  }
  return isBinary ? decodeBinary(payload) : decodeText(textOf(payload));
}

function decodeBinary(payload: Buffer): Decoded {
  try {
    return { frame: fromBinary(ClientFrameSchema, payload, { readUnknownFields: false }) };
  } catch (cause) {
    return { error: malformed("The message is not a ClientFrame in protobuf.", cause), id: undefined };
  }
}

function decodeText(text: string): Decoded {
  try {
    return { frame: decodeJson(ClientFrameSchema, text) };
  } catch (thrown) {
    const error = thrown as ParlorError;
    return { error, id: error.reason === Reason.INVALID_FIELDS ? idOf(text) : undefined };
  }
}

/** The id of a frame that is JSON and breaks the schema elsewhere. */
function idOf(text: string): number | undefined {
  const { id = 0 } = JSON.parse(text) as { readonly id?: unknown };
  return typeof id === "number" && Number.isInteger(id) && id >= 0 && id <= 0xffff_ffff ? id : undefined;
}
