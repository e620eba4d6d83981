// The hash slots of a Redis cluster: CRC16 (XMODEM) of the name, or of what stands in its first braces, modulo 16,384.
// https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#key-distribution-model

const table = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
  return crc;
});

export function slotOf(name: string): number {
  const [, tag] = /^[^{]*\{([^}]+)\}/.exec(name) ?? [];
  let crc = 0;
  for (const byte of Buffer.from(tag ?? name)) crc = ((crc << 8) & 0xffff) ^ (table[((crc >> 8) ^ byte) & 0xff] as number);
  return crc & 0x3fff;
}
