import { tooLarge } from "../errors.ts";
import { Breach, malformedPacket } from "./breach.ts";
import { ReasonCode } from "./reason-codes.ts";

/** Pieces of a packet that are kept apart; more of them are joined, so that a packet of single bytes costs no more memory. */
const maxPieces = 64;

/** Cuts what arrives into packets. Nothing is gathered for a packet that says it is larger than what is taken. */
export class PacketCutter {
  /** Largest packet that is taken, in bytes, with its fixed header. */
  maxBytes: number;
  /** Undefined when there is nothing: most connections hold nothing most of the time. */
  #pieces: Buffer[] | undefined;
  #bytes = 0;
  /** How many bytes must be there before looking again can help. */
  #needed = 2;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  get isEmpty(): boolean {
    return this.#bytes === 0;
  }

  push(piece: Buffer): void {
    this.#bytes += piece.length;
    if (!this.#pieces) this.#pieces = [piece];
    else if (this.#pieces.push(piece) > maxPieces) this.#pieces = [Buffer.concat(this.#pieces)];
  }

  /** The next whole packet; undefined while it is not there. @throws Breach */
  next(): Buffer | undefined {
    if (!this.#pieces || this.#bytes < this.#needed) return undefined;
    const all = this.#pieces.length === 1 ? (this.#pieces[0] as Buffer) : Buffer.concat(this.#pieces);
    const length = lengthOf(all);
    if (length !== undefined && length > this.maxBytes) throw new Breach(ReasonCode.PACKET_TOO_LARGE, tooLarge("packet", this.maxBytes));
    if (length === undefined || length > all.length) {
      this.#keep(all, length ?? all.length + 1);
      return undefined;
    }
    this.#keep(all.subarray(length), 2);
    return all.subarray(0, length);
  }

  #keep(rest: Buffer, needed: number): void {
    this.#pieces = rest.length === 0 ? undefined : [rest];
    this.#bytes = rest.length;
    this.#needed = needed;
  }
}

/**
 * How long the packet is that begins here; undefined while its length is not all there.
 * @throws Breach for a length of more than four bytes (MQTT 5, section 1.5.5)
 */
function lengthOf(bytes: Buffer): number | undefined {
  let remaining = 0;
  for (let i = 1; i <= 4; i++) {
    const byte = bytes[i];
    if (byte === undefined) return undefined;
    remaining += (byte & 0x7f) * 128 ** (i - 1);
    if (byte < 0x80) return i + 1 + remaining;
  }
  throw malformedPacket("The remaining length has more than four bytes.");
}
