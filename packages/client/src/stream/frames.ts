import { create, fromBinary, fromJsonString, type MessageInitShape, toBinary, toJsonString } from "@bufbuild/protobuf";
import { ClientFrameSchema, Code, ParlorError, Reason, type ServerFrame, ServerFrameSchema } from "@parlor/contract";
import { brokenContract } from "../errors.ts";

export type ClientFrameInit = MessageInitShape<typeof ClientFrameSchema>;

/** How frames are written on a WebSocket. */
export interface FrameFormat {
  /** The WebSocket subprotocol, as in the contract. */
  readonly subprotocol: string;
  /** @throws ParlorError RESOURCE_EXHAUSTED when the frame is larger than the server accepts */
  encode(frame: ClientFrameInit): string | Uint8Array<ArrayBuffer>;
  /** @throws ParlorError INTERNAL when it is not a frame */
  decode(data: unknown): ServerFrame;
}

/** The contract's limit of a frame. */
const MAX_FRAME_BYTES = 64 * 1024;

/** One JSON frame a text message: easy to watch in a browser. */
export const jsonFrames: FrameFormat = {
  subprotocol: "parlor.v1.json",
  encode(frame) {
    const text = toJsonString(ClientFrameSchema, create(ClientFrameSchema, frame));
    checkSize(text.length * 3 <= MAX_FRAME_BYTES ? 0 : new TextEncoder().encode(text).length);
    return text;
  },
  decode: (data) => reading(() => fromJsonString(ServerFrameSchema, data as string, { ignoreUnknownFields: true })),
};

/** One protobuf frame a binary message: smaller, and less work for both sides. */
export const protoFrames: FrameFormat = {
  subprotocol: "parlor.v1.proto",
  encode(frame) {
    const bytes = toBinary(ClientFrameSchema, create(ClientFrameSchema, frame));
    checkSize(bytes.length);
    return bytes;
  },
  decode: (data) => reading(() => fromBinary(ServerFrameSchema, new Uint8Array(data as ArrayBuffer))),
};

function checkSize(bytes: number): void {
  if (bytes <= MAX_FRAME_BYTES) return;
  throw new ParlorError(
    Code.RESOURCE_EXHAUSTED,
    Reason.TOO_LARGE,
    `A frame holds at most ${MAX_FRAME_BYTES} bytes; this one has ${bytes}.`,
  );
}

function reading(read: () => ServerFrame): ServerFrame {
  try {
    return read();
  } catch (cause) {
    throw brokenContract("The server sent a frame that could not be read.", cause);
  }
}
