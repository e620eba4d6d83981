import type { Duplex } from "node:stream";
import { isPlainSocket } from "./plain-socket.ts";

/** Told of what arrives. The bytes are another's as soon as it returns: what it keeps it has to copy. */
export type Arrived = (bytes: Buffer) => void;

/** What Node keeps of an open socket; its documentation says nothing of it, so that all of this may be missing. */
interface Internals {
  readonly _handle?: { useUserBuffer?(buffer: Buffer): void } | null;
  [name: symbol]: unknown;
}

/** One read after the other goes here, of whichever connection: each is used up before the next one. */
const space = Buffer.allocUnsafeSlow(64 * 1024);

/**
 * Reads a connection from now on. A plain socket reads into memory of ours, as `net.connect` offers it by its option `onread`, and
 * Node has no option for sockets that were accepted: otherwise each read, however little it brings, costs 64 KiB that are allocated
 * and given back, and two objects. What is no plain socket, and what has arrived already, comes the stream's way.
 */
export function readInto(stream: Duplex, arrived: Arrived): void {
  stream.on("data", arrived);
  if (isPlainSocket(stream)) readPast(stream as unknown as Internals, arrived);
  stream.resume();
}

function readPast(socket: Internals, arrived: Arrived): void {
  const own = new Map(Object.getOwnPropertySymbols(socket).map((symbol) => [symbol.description, symbol]));
  const [buffer, callback] = [own.get("kBuffer"), own.get("kBufferCb")];
  if (!buffer || !callback || !own.has("kBufferGen") || !socket._handle?.useUserBuffer) return;
  socket[buffer] = space;
  socket[callback] = (length: number) => arrived(space.subarray(0, length));
  socket._handle.useUserBuffer(space);
}
