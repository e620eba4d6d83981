import { type IConnectPacket, type Packet, type Parser, parser } from "mqtt-packet";
import { malformedPacket, protocolError } from "./breach.ts";
import { ReasonCode } from "./reason-codes.ts";

/** The protocol levels that are spoken: 3.1.1 and 5. */
export type Version = 4 | 5;

type ConnectPacket = IConnectPacket & { readonly protocolVersion: Version };

/** The library's parser, for one whole packet at a time, so that connections can share one. */
class PacketReader {
  readonly #settings: object;
  #parser: Parser;
  #packet: Packet | undefined;
  #fault: Error | undefined;

  constructor(settings: object) {
    this.#settings = settings;
    this.#parser = this.#newParser();
  }

  /** @throws Breach */
  read(bytes: Buffer): Packet {
    this.#packet = this.#fault = undefined;
    try {
      this.#parser.parse(bytes);
    } catch {
      // It reads some numbers without looking how much there is.
    }
    if (this.#packet && !this.#fault) return wellFormed(this.#packet, bytes);
    // What is left of this packet must not come before the next one.
    this.#parser = this.#newParser();
    throw malformedPacket(`${(this.#fault as Error | undefined)?.message ?? "The packet is too short"}.`);
  }

  #newParser(): Parser {
    return parser(this.#settings)
      .on("packet", (packet) => {
        this.#packet = packet;
      })
      .on("error", (fault: Error) => {
        this.#fault = fault;
      });
  }
}

const readers = { 4: new PacketReader({ protocolVersion: 4 }), 5: new PacketReader({ protocolVersion: 5 }) };

/** Reads one whole packet of a connection that is open. @throws Breach */
export function decodePacket(bytes: Buffer, version: Version): Packet {
  return readers[version].read(bytes);
}

/** Reads the first packet of a connection. @throws Breach */
export function decodeConnect(bytes: Buffer): ConnectPacket {
  const level = levelOf(bytes);
  // Section 3.1.2.2.
  if (level !== 4 && level !== 5) throw protocolError("This server speaks MQTT 3.1.1 and 5.", ReasonCode.UNSUPPORTED_VERSION);
  return new PacketReader({}).read(bytes) as ConnectPacket;
}

/** The version in which a first packet is to be answered. @throws Breach when it is not of MQTT, and gets no answer */
export function versionOf(bytes: Buffer): Version {
  // Section 3.1: the first packet must be a CONNECT.
  if (bytes[0] !== 0x10) throw protocolError("The first packet must be a CONNECT.");
  return levelOf(bytes) >= 5 ? 5 : 4;
}

/** The protocol level of a CONNECT. @throws Breach for another protocol */
function levelOf(bytes: Buffer): number {
  const start = bytes.findIndex((byte, i) => i > 0 && byte < 0x80) + 1;
  const nameBytes = bytes.length < start + 2 ? 0 : bytes.readUInt16BE(start);
  const name = bytes.toString("latin1", start + 2, start + 2 + nameBytes);
  if (name === "MQIsdp") return 3;
  if (name !== "MQTT") throw malformedPacket("This is not MQTT.");
  return bytes[start + 2 + nameBytes] ?? 0;
}

const withPacketId: ReadonlySet<string> = new Set(["subscribe", "unsubscribe", "puback", "pubrel"]);

/** What the parser lets through, and the standard does not. */
function wellFormed(packet: Packet, bytes: Buffer): Packet {
  requireText(packet, new Replacements(bytes));
  const needsId = withPacketId.has(packet.cmd) || (packet.cmd === "publish" && packet.qos > 0);
  // Section 2.2.1: a packet identifier is never 0. The parser says -1 for one that is not there.
  if (needsId && !((packet.messageId ?? 0) > 0)) throw protocolError("The packet identifier must not be 0.");
  if (packet.cmd === "pingreq" && packet.length !== 0) throw malformedPacket("A PINGREQ has no content.");
  // Sections 3.8.3 and 3.10.3: at least one.
  if (packet.cmd === "subscribe" && packet.subscriptions.length === 0) throw protocolError("A SUBSCRIBE must name a topic filter.");
  if (packet.cmd === "unsubscribe" && packet.unsubscriptions.length === 0) throw protocolError("An UNSUBSCRIBE must name a topic filter.");
  // Section 3.3.1.1.
  if (packet.cmd === "publish" && packet.qos === 0 && packet.dup) throw malformedPacket("DUP must not be set with QoS 0.");
  return packet;
}

/** Strings of a packet that may hold U+FFFD: each of them has to be looked for in all of it. */
const maxReplaced = 64;

/** Tells strings that hold U+FFFD from those for which the parser has put it: then the string's own bytes are not in the packet. */
class Replacements {
  readonly #bytes: Buffer;
  #seen = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** @throws Breach when there are too many of them */
  isGenuine(text: string): boolean {
    if (++this.#seen > maxReplaced) throw malformedPacket("Too many strings hold U+FFFD.");
    return this.#bytes.includes(prefixed(text));
  }
}

/** Section 1.5.4: strings are UTF-8 without NUL. The parser has put U+FFFD for what is not UTF-8. */
function requireText(value: unknown, replacements: Replacements, depth = 0): void {
  if (typeof value === "string") {
    if (value.includes("\0")) throw malformedPacket("A string holds NUL.");
    if (value.includes("\ufffd") && !replacements.isGenuine(value)) throw malformedPacket("A string is not valid UTF-8.");
  } else if (Array.isArray(value)) {
    for (const one of value) requireText(one, replacements, depth + 1);
  } else if (typeof value === "object" && value !== null && !Buffer.isBuffer(value)) {
    for (const [name, one] of Object.entries(value)) {
      if (name === "properties" && depth <= 1) requireProperties(one as object, replacements);
      requireText(name, replacements, depth + 1);
      requireText(one, replacements, depth + 1);
    }
  }
}

/** Section 2.2.2.2: properties are whole, and but for user properties there is one of each. The parser says null, -1 or makes a list. */
function requireProperties(properties: object, replacements: Replacements): void {
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === -1) throw malformedPacket(`The property ${name} is cut off.`);
    if (Array.isArray(value)) throw protocolError(`The property ${name} may be given only once.`);
    if (name !== "userProperties") continue;
    if (Object.values(value as object).includes(null) || ("null" in value && !replacements.isGenuine("null")))
      throw malformedPacket("A user property is cut off.");
  }
}

function prefixed(text: string): Buffer {
  const bytes = Buffer.from(`\0\0${text}`);
  bytes.writeUInt16BE(bytes.length - 2);
  return bytes;
}

/** The one value of a user property; of several, the last. */
export function userProperty(
  packet: { readonly properties?: { readonly userProperties?: Readonly<Record<string, string | string[]>> } },
  name: string,
): string | undefined {
  const value = packet.properties?.userProperties?.[name];
  return Array.isArray(value) ? value.at(-1) : value;
}
