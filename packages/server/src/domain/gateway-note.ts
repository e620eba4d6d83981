// What a gateway says of its client, between the client's frames.
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { GatewayNoteSchema } from "@parlor/contract";

/** The tag that a note begins with: field 1000, length-delimited. */
const TAG = 0xc23e;

/** How soon the person appears offline when this connection is lost; undefined: as usual. */
export interface Departure {
  readonly offlineAfterMs: number | undefined;
}

export function departureNote({ offlineAfterMs }: Departure): Buffer {
  const departure = offlineAfterMs === undefined ? {} : { offlineAfterMs };
  return Buffer.from(toBinary(GatewayNoteSchema, create(GatewayNoteSchema, { departure })));
}

/** What a message says if it is such a note, and no frame of the client's. @throws Error when it begins like one and is none */
export function readDepartureNote(message: Buffer): Departure | undefined {
  if (message.length < 2 || message.readUInt16BE() !== TAG) return undefined;
  return { offlineAfterMs: fromBinary(GatewayNoteSchema, message).departure?.offlineAfterMs };
}
