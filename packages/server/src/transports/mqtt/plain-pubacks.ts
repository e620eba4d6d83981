import type { CursorWatcher, InFlight } from "./in-flight.ts";

/** A PUBACK that says nothing more than a packet identifier (MQTT 5, section 3.4). */
const bytesOfOne = 4;

/**
 * Takes the plain PUBACKs at the beginning of what arrived, which is what a subscriber with QoS 1 sends for each event. Cutting and
 * decoding them one by one would cost more than the deliveries; as they stand, most are one run of identifiers.
 * @returns how many bytes they are
 */
export function takePubacks(bytes: Buffer, inFlight: InFlight, watcher: CursorWatcher | undefined): number {
  let at = 0;
  for (let first = packetIdAt(bytes, 0); first > 0; ) {
    const start = at;
    let next = first;
    for (let expected = first; next === expected; expected++) {
      at += bytesOfOne;
      next = packetIdAt(bytes, at);
    }
    inFlight.acknowledge(first, (at - start) / bytesOfOne, watcher);
    first = next;
  }
  return at;
}

/** The identifier in the plain PUBACK that stands here; 0 when anything else does, or not all of it. */
function packetIdAt(bytes: Buffer, at: number): number {
  if (at + bytesOfOne > bytes.length || bytes[at] !== 0x40 || bytes[at + 1] !== 2) return 0;
  return ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number);
}
