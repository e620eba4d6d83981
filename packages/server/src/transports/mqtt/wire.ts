/** The sizes of packets that stand one after the other. */
export function packetSizes(bytes: Uint8Array): number[] {
  const sizes: number[] = [];
  for (let at = 0; at < bytes.length; ) {
    let remaining = 0;
    let i = 1;
    for (; ; i++) {
      const byte = bytes[at + i] as number;
      remaining += (byte & 0x7f) * 128 ** (i - 1);
      if (byte < 0x80) break;
    }
    sizes.push(i + 1 + remaining);
    at += i + 1 + remaining;
  }
  return sizes;
}

const DUP = 0x08;

/** PUBLISH packets of which the first so many were sent before (MQTT 5, section 3.3.1.1: DUP). The bytes are shared: it is a copy. */
export function asResent(bytes: Uint8Array, count: number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  let at = 0;
  for (const size of packetSizes(bytes).slice(0, count)) {
    copy[at] = (copy[at] as number) | DUP;
    at += size;
  }
  return copy;
}
