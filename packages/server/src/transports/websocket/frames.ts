// RFC 6455, section 5.2: FIN and the opcode, then the length. What a server sends is not masked.
export const TEXT = 0x81;
export const BINARY = 0x82;
export const PING_FRAME = Buffer.from([0x89, 0]);

/** How many bytes stand before a payload. */
export function headerBytes(payloadBytes: number): number {
  return payloadBytes < 126 ? 2 : payloadBytes < 65_536 ? 4 : 10;
}

/** A WebSocket frame ready for the network, with room for its payload at the end. */
export function emptyFrame(firstByte: typeof TEXT | typeof BINARY, payloadBytes: number): Buffer {
  const header = headerBytes(payloadBytes);
  const frame = Buffer.allocUnsafe(header + payloadBytes);
  frame[0] = firstByte;
  frame[1] = header === 2 ? payloadBytes : header === 4 ? 126 : 127;
  if (header === 4) frame.writeUInt16BE(payloadBytes, 2);
  if (header === 10) frame.writeBigUInt64BE(BigInt(payloadBytes), 2);
  return frame;
}
