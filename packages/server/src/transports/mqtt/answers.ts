import {
  ErrorSchema,
  encodeJson,
  MarkReadResponseSchema,
  ParlorError,
  Reason,
  type Reply,
  SendMessageResponseSchema,
  SetPresenceResponseSchema,
  TypingResponseSchema,
} from "@parlor/contract";
import { generate, type IPubackPacket, type Packet } from "mqtt-packet";
import type { Version } from "./packets.ts";
import { isPassing, pubackCodeOf, ReasonCode } from "./reason-codes.ts";
import type { Subscriptions } from "./subscriptions.ts";
import { topics } from "./topics.ts";
import type { Outcome, Publication } from "./unanswered.ts";

/** What answers depend on. */
export interface Audience {
  readonly version: Version;
  readonly subscriptions: Subscriptions;
  readonly maxPacketBytes: number;
  readonly wantsProblems: boolean;
}

/** A packet for this client; without its explanations where they would make it larger than what is taken (section 3.1.2.11.4). */
export function encodePacket(packet: Packet, { version, maxPacketBytes, wantsProblems }: Audience): Buffer {
  const options = { protocolVersion: version };
  const bytes = generate(wantsProblems ? packet : unexplained(packet), options);
  if (bytes.length <= maxPacketBytes) return bytes;
  const less = generate(unexplained(packet), options);
  return less.length <= maxPacketBytes ? less : Buffer.alloc(0);
}

function unexplained(packet: Packet): Packet {
  if (!("properties" in packet) || packet.cmd === "publish") return packet;
  const { reasonString: _, userProperties: __, ...properties } = packet.properties as Record<string, unknown>;
  return { ...packet, properties } as Packet;
}

/** What the hub says became of a frame; the answer is made for those alone who want it. */
export function outcomeOf(result: Reply["result"], wantsAnswer: boolean): Outcome {
  if (result.case === "error") return { error: ParlorError.fromWire(result.value) };
  return { answer: wantsAnswer ? answerOf(result) : "" };
}

function answerOf(result: Reply["result"]): string {
  switch (result.case) {
    case "send":
      return encodeJson(SendMessageResponseSchema, result.value);
    case "markRead":
      return encodeJson(MarkReadResponseSchema, result.value);
    case "setPresence":
      return encodeJson(SetPresenceResponseSchema, result.value);
    case "typing":
      return encodeJson(TypingResponseSchema, result.value);
    default:
      return "{}";
  }
}

/**
 * The packets that tell a client what became of its PUBLISH: the answer to its response topic, or the error to me/errors, and then
 * the PUBACK, or the PUBREC of QoS 2. Undefined when the client can only be told by the end of the connection: in MQTT 3.1.1 it says "done", so that
 * what may be taken later must not get one.
 */
export function answersTo(publication: Publication, outcome: Outcome, audience: Audience): Buffer[] | undefined {
  const { qos, packetId } = publication;
  const error = "error" in outcome ? outcome.error : undefined;
  if (error && packetId > 0 && audience.version === 4 && isPassing(error)) return undefined;
  const told = tell(publication, outcome, audience);
  if (packetId > 0) told.push(encodePacket({ cmd: qos === 2 ? "pubrec" : "puback", ...acknowledgementOf(packetId, outcome) }, audience));
  return told;
}

/** Whether a publication has become its receiver's (MQTT 5, section 4.3.3): only then does a PUBREL follow, with which it ends. */
export function isReceived({ qos }: Publication, outcome: Outcome, version: Version): boolean {
  return qos === 2 && (version === 4 || !("error" in outcome));
}

function acknowledgementOf(messageId: number, outcome: Outcome): Omit<IPubackPacket, "cmd"> {
  if (!("error" in outcome)) return { messageId, reasonCode: ReasonCode.SUCCESS };
  const { error, reasonCode = pubackCodeOf(error) } = outcome;
  const userProperties = { reason: Reason[error.reason], ...(error.retryAfterMs && { retryAfterMs: String(error.retryAfterMs) }) };
  return { messageId, reasonCode, properties: { reasonString: error.message, userProperties } };
}

function tell({ topic, responseTopic, correlationData }: Publication, outcome: Outcome, audience: Audience): Buffer[] {
  const error = "error" in outcome ? encodeJson(ErrorSchema, outcome.error.toWire()) : undefined;
  const to = responseTopic ?? (error === undefined ? undefined : topics.errors);
  const isWanted = to !== undefined && audience.subscriptions.ofAnswer(to) !== undefined;
  if (!isWanted) return [];
  const payload =
    error === undefined ? (outcome as { readonly answer: string }).answer : `{"topic":${JSON.stringify(topic)},"error":${error}}`;
  const properties = { payloadFormatIndicator: true, contentType: "application/json", ...(correlationData && { correlationData }) };
  return [encodePacket({ cmd: "publish", qos: 0, dup: false, retain: false, topic: to, payload, properties }, audience)];
}
