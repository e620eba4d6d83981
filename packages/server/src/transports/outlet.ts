import { writeSync } from "node:fs";
import type { Duplex } from "node:stream";
import type { Passage } from "../realtime/sink.ts";
import { isPlainSocket } from "./plain-socket.ts";

/** What Node keeps of an open socket; its documentation says nothing of it, so that all of this may be missing. */
interface Handle {
  readonly fd?: number;
}

/** Its handle leaves a socket at the moment in which the descriptor is closed, and may be given to another. */
interface Handled {
  readonly _handle?: Handle | null;
}

const NOTHING = new Uint8Array();

/**
 * The way of one connection's bytes to the network. To a plain socket it writes itself what Node's stream would only pass on:
 * while nothing waits in the stream, and as much as the network takes at once. The rest, whatever fails, and what is not a plain
 * socket, goes the stream's way.
 */
export class Outlet implements Passage {
  readonly #stream: Duplex & Handled;
  readonly #handle: Handle | null | undefined;
  /** -1 where all goes the stream's way. */
  readonly #fd: number;

  constructor(stream: Duplex) {
    this.#stream = stream;
    this.#handle = isPlainSocket(stream) ? (stream as Handled)._handle : undefined;
    // Asked once: for each delivery it would cost a tenth of the write.
    this.#fd = this.#handle?.fd ?? -1;
  }

  pass(bytes: Uint8Array): boolean {
    const stream = this.#stream;
    if (!stream.writable || stream.writableLength > 0) return false;
    const written = this.#fd >= 0 && stream._handle === this.#handle ? writtenNow(this.#fd, bytes) : 0;
    if (written < bytes.length) stream.write(written === 0 ? bytes : bytes.subarray(written));
    return true;
  }

  /** In order; never throws; does nothing once the way is closed. */
  write(bytes: Uint8Array): void {
    if (!this.pass(bytes) && this.#stream.writable) this.#stream.write(bytes);
  }

  /** Bytes written that the network has not taken yet. */
  get queuedBytes(): number {
    const { writableLength } = this.#stream;
    return writableLength === 0 || this.#stream.destroyed ? 0 : writableLength;
  }

  /** Resolves when all that was written has been taken by the network, or the way is closed. */
  async drained(): Promise<void> {
    if (this.queuedBytes === 0) return;
    // The callback of a write is called after all writes before it, and with an error when the way is closed instead.
    await new Promise<void>((resolve) => this.#stream.write(NOTHING, () => resolve()));
  }
}

function writtenNow(fd: number, bytes: Uint8Array): number {
  try {
    return writeSync(fd, bytes);
  } catch {
    return 0;
  }
}
