import { randomFillSync } from "node:crypto";

const digits = Buffer.from("0123456789abcdef");
const dash = 0x2d;
/** Where the digits of an id are put together: a text that was joined from pieces would keep all of them. */
const text = Buffer.alloc(36, dash);
const idBytes = 16;
/** Random bytes for the next ids: asked for one id at a time, they cost more than all the rest. */
const pool = Buffer.alloc(256 * idBytes);
let used = pool.length;

/** A new UUIDv7 (RFC 9562): 48 bits of milliseconds, then random bits, so that ids sort by age. */
export function newId(now: number = Date.now()): string {
  const bytes = nextRandom();
  bytes.writeUIntBE(now, 0, 6);
  bytes[6] = 0x70 | ((bytes[6] as number) & 0x0f);
  bytes[8] = 0x80 | ((bytes[8] as number) & 0x3f);
  for (let i = 0, at = 0; i < 16; i++) {
    const byte = bytes[i] as number;
    text[at++] = digits[byte >> 4] as number;
    text[at++] = digits[byte & 0x0f] as number;
    if (i === 3 || i === 5 || i === 7 || i === 9) at++;
  }
  return text.toString("latin1");
}

function nextRandom(): Buffer {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  used += idBytes;
  return pool.subarray(used - idBytes, used);
}
