import { randomBytes } from "node:crypto";

const hex = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/** A new UUIDv7 (RFC 9562): 48 bits of milliseconds, then random bits, so that ids sort by age. */
export function newId(now: number = Date.now()): string {
  const bytes = randomBytes(16);
  bytes.writeUIntBE(now, 0, 6);
  bytes[6] = 0x70 | ((bytes[6] as number) & 0x0f);
  bytes[8] = 0x80 | ((bytes[8] as number) & 0x3f);
  let id = "";
  for (let i = 0; i < 16; i++) {
    id += hex[bytes[i] as number];
    if (i === 3 || i === 5 || i === 7 || i === 9) id += "-";
  }
  return id;
}
