import { Code, ParlorError, Reason } from "@parlor/contract";
import { malformed, tooLarge } from "../errors.ts";

// Every message is preceded by a flag and its length in 4 bytes (gRPC over HTTP/2, "Length-Prefixed-Message").
export const PREFIX_BYTES = 5;
/** Largest message that is taken of another service: it may speak for many clients at once. The gate holds the others to less. */
export const INTERNAL_BYTES = 4 * 1024 * 1024;

/** A gRPC message ready for the network, with room for its payload behind the prefix. */
export function emptyMessage(payloadBytes: number): Buffer {
  const message = Buffer.allocUnsafe(PREFIX_BYTES + payloadBytes);
  message[0] = 0;
  message.writeUInt32BE(payloadBytes, 1);
  return message;
}

/** UNIMPLEMENTED is what gRPC wants here ("Compression"), so that a client sends the same again as it is. */
export function compressionRefused(): ParlorError {
  return new ParlorError(Code.UNIMPLEMENTED, Reason.UNSUPPORTED_MEDIA_TYPE, "Compressed messages are not read.");
}

/** Cuts the bytes of a stream into messages, and refuses a message by its prefix alone, before anything of it is kept. */
export class MessageReader {
  readonly #maxBytes: number;
  readonly #prefix = Buffer.alloc(PREFIX_BYTES);
  #prefixRead = 0;
  #chunks: Buffer[] = [];
  #missing = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /**
   * Takes the next bytes.
   * @returns the messages that are complete with them
   * @throws ParlorError TOO_LARGE, UNSUPPORTED_MEDIA_TYPE (compressed) or MALFORMED; nothing can be read after it
   */
  read(bytes: Buffer): readonly Buffer[] {
    const messages: Buffer[] = [];
    let at = 0;
    while (at < bytes.length) {
      if (this.#prefixRead < PREFIX_BYTES) at += this.#readPrefix(bytes, at);
      else at += this.#readPayload(bytes, at);
      if (this.#prefixRead === PREFIX_BYTES && this.#missing === 0) messages.push(this.#take());
    }
    return messages;
  }

  #readPrefix(bytes: Buffer, at: number): number {
    const count = bytes.copy(this.#prefix, this.#prefixRead, at);
    this.#prefixRead += count;
    const flag = this.#prefix[0] as number;
    if (flag === 1) throw compressionRefused();
    if (flag > 1) throw malformed("The flag of a gRPC message must be 0 or 1.");
    if (this.#prefixRead < PREFIX_BYTES) return count;
    this.#missing = this.#prefix.readUInt32BE(1);
    if (this.#missing > this.#maxBytes) throw tooLarge("message", this.#maxBytes);
    return count;
  }

  #readPayload(bytes: Buffer, at: number): number {
    const chunk = bytes.subarray(at, at + this.#missing);
    this.#chunks.push(chunk);
    this.#missing -= chunk.length;
    return chunk.length;
  }

  #take(): Buffer {
    const message = this.#chunks.length === 1 ? (this.#chunks[0] as Buffer) : Buffer.concat(this.#chunks);
    this.#chunks = [];
    this.#prefixRead = 0;
    return message;
  }
}
