import { TEXT } from "../text.ts";

const PUBLISH = 3;
const PUBACK = 4;

/** What a span of the stream brought. */
export interface MqttSeen {
  /** Messages that are long enough to hold the text that is sent here. */
  readonly messages: number;
  /** The PUBACKs of all messages at QoS 1; overwritten by the next read, of whatever reader. */
  readonly acknowledgements: Buffer;
  /** PUBACKs that came in. */
  readonly acknowledged: number;
}

const NOTHING = Buffer.alloc(0);

/** One for all readers, which answer before the next one reads. */
let space = Buffer.allocUnsafeSlow(4096);

/** Room for the PUBACKs of so many bytes: no message is shorter than its text. */
function spaceFor(bytes: number): Buffer {
  const needed = 4 * (1 + Math.floor(bytes / TEXT.length));
  if (needed > space.length) space = Buffer.allocUnsafeSlow(needed);
  return space;
}

/** Reads the packets of a server, as far as a client at QoS 1 must. */
export class MqttReader {
  /** The beginning of a packet whose end has not come. */
  #held = NOTHING;

  read(bytes: Buffer, start: number, end: number): MqttSeen {
    const all = this.#held.length === 0 ? bytes.subarray(start, end) : Buffer.concat([this.#held, bytes.subarray(start, end)]);
    const acknowledgements = spaceFor(all.length);
    let acks = 0;
    let messages = 0;
    let acknowledged = 0;
    let at = 0;
    for (let next = endOf(all, at); next !== undefined; next = endOf(all, at)) {
      const type = (all[at] as number) >> 4;
      if (type === PUBACK) acknowledged += 1;
      if (type === PUBLISH && next - at > TEXT.length) {
        messages += 1;
        acks = writeAck(all, at, acknowledgements, acks);
      }
      at = next;
    }
    this.#held = at === all.length ? NOTHING : Buffer.from(all.subarray(at));
    return { messages, acknowledgements: acknowledgements.subarray(0, acks), acknowledged };
  }
}

/** Where the packet ends that begins here; undefined when not all of it has come. */
function endOf(bytes: Buffer, at: number): number | undefined {
  let length = 0;
  for (let index = 0; index < 4; index++) {
    const byte = bytes[at + 1 + index];
    if (byte === undefined) return undefined;
    length |= (byte & 0x7f) << (7 * index);
    if (byte < 0x80) {
      const end = at + 2 + index + length;
      return end <= bytes.length ? end : undefined;
    }
  }
  throw new Error("A remaining length of more than four bytes.");
}

/** Writes the PUBACK of a message, unless it came at QoS 0; returns where the next one goes. */
function writeAck(bytes: Buffer, at: number, into: Buffer, place: number): number {
  if ((((bytes[at] as number) >> 1) & 3) === 0) return place;
  let body = at + 1;
  while ((bytes[body++] as number) >= 0x80);
  const id = body + 2 + bytes.readUInt16BE(body);
  into[place] = 0x40;
  into[place + 1] = 2;
  into[place + 2] = bytes[id] as number;
  into[place + 3] = bytes[id + 1] as number;
  return place + 4;
}
