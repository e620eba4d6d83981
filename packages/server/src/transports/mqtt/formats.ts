import type { RoomEvent } from "../../domain/room-event.ts";
import type { FrameFormat } from "../../realtime/sink.ts";
import { packetIdOf } from "./packet-ids.ts";
import type { Version } from "./packets.ts";
import type { Encoding } from "./subscriptions.ts";
import { topics } from "./topics.ts";

/**
 * How events are published: whole PUBLISH packets (MQTT 5, section 3.3), one after the other, so that one buffer serves every
 * subscriber with the same needs. With QoS 1 too: packet identifiers come from the place in the log.
 */
export class EventFormat implements FrameFormat {
  readonly name: string;
  readonly qos: 0 | 1;
  readonly #encoding: Encoding;
  readonly #properties: Buffer;

  constructor(version: Version, qos: 0 | 1, encoding: Encoding) {
    this.name = `mqtt${version}-qos${qos}-${encoding}`;
    this.qos = qos;
    this.#encoding = encoding;
    this.#properties = propertiesOf(version, encoding);
  }

  events(events: readonly RoomEvent[]): Uint8Array {
    const packets = events.map((event) => this.#measure(event));
    const bytes = Buffer.allocUnsafe(packets.reduce((sum, { total }) => sum + total, 0));
    let at = 0;
    for (const packet of packets) at = this.#write(packet, bytes, at);
    return bytes;
  }

  #measure(event: RoomEvent): Measured {
    const topic = topicOf(event);
    const payload = this.#encoding === "json" ? event.json : event.binary;
    const payloadBytes = typeof payload === "string" ? Buffer.byteLength(payload) : payload.length;
    const remaining = 2 + topic.length + 2 * this.qos + this.#properties.length + payloadBytes;
    return { event, topic, payload, remaining, total: 1 + lengthBytes(remaining) + remaining };
  }

  #write({ event, topic, payload, remaining }: Measured, bytes: Buffer, start: number): number {
    let at = bytes.writeUInt8(0x30 | (this.qos << 1), start);
    at = writeLength(bytes, remaining, at);
    at = bytes.writeUInt16BE(topic.length, at);
    at += bytes.write(topic, at, "latin1");
    if (this.qos === 1) at = bytes.writeUInt16BE(packetIdOf(event.roomId, event.seq), at);
    bytes.set(this.#properties, at);
    at += this.#properties.length;
    if (typeof payload === "string") return at + bytes.write(payload, at);
    bytes.set(payload, at);
    return at + payload.length;
  }
}

interface Measured {
  readonly event: RoomEvent;
  readonly topic: string;
  readonly payload: string | Uint8Array;
  readonly remaining: number;
  readonly total: number;
}

const formats = { 4: bothQos(4), 5: bothQos(5) } as const;

function bothQos(version: Version): readonly [Record<Encoding, EventFormat>, Record<Encoding, EventFormat>] {
  const of = (qos: 0 | 1): Record<Encoding, EventFormat> => ({
    json: new EventFormat(version, qos, "json"),
    protobuf: new EventFormat(version, qos, "protobuf"),
  });
  return [of(0), of(1)];
}

/** The one format of these needs. */
export function formatOf(version: Version, qos: 0 | 1, encoding: Encoding): EventFormat {
  return formats[version][qos][encoding];
}

/** The topic of an event: its room's events, but for what only passes by. */
export function topicOf({ roomId, seq, event }: RoomEvent): string {
  if (seq > 0) return topics.events(roomId);
  if (event.kind.case === "typing") return topics.typing(roomId);
  return event.kind.case === "presenceChanged" ? topics.presence : topics.events(roomId);
}

/** Section 3.3.2.3: JSON is said to be text (Payload Format Indicator); protobuf has a content type. */
function propertiesOf(version: Version, encoding: Encoding): Buffer {
  if (version === 4) return Buffer.alloc(0);
  if (encoding === "json") return Buffer.of(2, 0x01, 1);
  const type = Buffer.from("application/protobuf");
  return Buffer.concat([Buffer.of(type.length + 3, 0x03, 0, type.length), type]);
}

/** How many bytes a Variable Byte Integer has (section 1.5.5). */
function lengthBytes(value: number): number {
  return value < 128 ? 1 : value < 16_384 ? 2 : value < 2_097_152 ? 3 : 4;
}

function writeLength(bytes: Buffer, value: number, start: number): number {
  let at = start;
  let rest = value;
  for (; rest > 0x7f; rest >>>= 7) bytes[at++] = (rest & 0x7f) | 0x80;
  bytes[at++] = rest;
  return at;
}
