import { writeSync } from "node:fs";
import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { TLSSocket } from "node:tls";

/** What Node keeps of an open socket; it says nothing of it in its documentation, so that all of this may be missing. */
interface Handle {
  readonly _handle?: { readonly fd?: number } | null;
}

/** The socket, if what is written to this stream goes out as it is. */
export function plainSocketOf(stream: Duplex): Socket | undefined {
  return stream instanceof Socket && !(stream instanceof TLSSocket) ? stream : undefined;
}

/**
 * Writes to the socket itself what Node's stream would only pass on: while nothing waits in the stream, and as much as the
 * network takes at once. The rest, and whatever fails, goes the stream's way.
 */
export function writeDirectly(socket: Socket, bytes: Uint8Array): void {
  const written = socket.writableLength === 0 ? writtenNow((socket as Handle)._handle?.fd ?? -1, bytes) : 0;
  if (written < bytes.length) socket.write(written === 0 ? bytes : bytes.subarray(written));
}

function writtenNow(fd: number, bytes: Uint8Array): number {
  if (fd < 0) return 0;
  try {
    return writeSync(fd, bytes);
  } catch {
    return 0;
  }
}
