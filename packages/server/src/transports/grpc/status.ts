import { constants, type OutgoingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import { toBinary } from "@bufbuild/protobuf";
import { ErrorSchema, type ParlorError, type WireError } from "@parlor/contract";

// Clients refuse headers above some size, gRPC's C core from 8 KiB on.
const MAX_ERROR_BYTES = 4096;
const MAX_MESSAGE_CHARACTERS = 512;

/** The trailers that say how a call ended. */
export interface Ending {
  readonly code: number;
  readonly message: string;
  readonly error?: ParlorError;
  readonly requestId: string;
}

/** The error in protobuf, with as many of its violations as fit into a header. */
export function errorBytes(error: ParlorError, requestId: string): Buffer {
  const wire = { ...error.toWire(requestId) } as WireError;
  wire.message = shortened(wire.message);
  let bytes = toBinary(ErrorSchema, wire);
  for (let keep = wire.violations.length; bytes.length > MAX_ERROR_BYTES && keep > 0; bytes = toBinary(ErrorSchema, wire)) {
    keep >>= 1;
    wire.violations = wire.violations.slice(0, keep);
  }
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

export function shortened(message: string): string {
  return message.slice(0, MAX_MESSAGE_CHARACTERS).toWellFormed();
}

export function trailersOf({ code, message, error, requestId }: Ending): OutgoingHttpHeaders {
  return {
    "grpc-status": code,
    "grpc-message": encodeURI(shortened(message)),
    "x-request-id": requestId,
    ...(error === undefined ? {} : { "parlor-error-bin": errorBytes(error, requestId).toString("base64") }),
  };
}

/** Ends a call that has not been answered yet, without reading further. */
export function refuse(stream: ServerHttp2Stream, error: ParlorError, requestId: string): void {
  if (stream.destroyed || stream.closed || stream.headersSent) return;
  const trailers = trailersOf({ code: error.code, message: error.message, error, requestId });
  stream.respond({ ":status": 200, "content-type": "application/grpc+proto", ...trailers }, { endStream: true });
  stream.close(constants.NGHTTP2_NO_ERROR);
}
