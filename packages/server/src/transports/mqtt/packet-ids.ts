/** Packet identifiers are 1 to 65,535 (MQTT 5, section 2.2.1). */
export const packetIds = 65_535;

/**
 * The packet identifier of an event. It follows from the place in the log: so that subscribers can share bytes, and that an event
 * which is sent again, by whichever node, has the identifier that it had (section 4.4).
 */
export function packetIdOf(roomId: string, seq: number): number {
  return packetIdFrom(beginningOf(roomId), seq);
}

/** The same for who has the room's beginning at hand. */
export function packetIdFrom(beginning: number, seq: number): number {
  return 1 + ((beginning + seq) % packetIds);
}

/** How far it is from the identifier of one place to that of another, going up. */
export function stepsBetween(from: number, to: number): number {
  return (to - from + packetIds) % packetIds;
}

/** Rooms begin at different places, so that they seldom meet. */
export function beginningOf(roomId: string): number {
  return Number.parseInt(roomId.slice(-4), 16);
}
