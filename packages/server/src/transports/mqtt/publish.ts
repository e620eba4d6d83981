import { create, type DescMethod, type Message, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type ClientFrameSchema,
  Code,
  decodeJson,
  encodeJson,
  ListEventsRequestSchema,
  ListMessagesRequestSchema,
  MarkReadRequestSchema,
  MessagesService,
  ParlorError,
  Reason,
  SetPresenceRequestSchema,
} from "@parlor/contract";
import type { IPublishPacket } from "mqtt-packet";
import { presenceOf, requestOf, requireRoom, sendRequestOf } from "../mqtt-payloads.ts";
import { protocolError } from "./breach.ts";
import type { Client } from "./client.ts";
import { userProperty } from "./packets.ts";
import { ReasonCode } from "./reason-codes.ts";
import { isReplyTopic, type Target, targetOf } from "./topics.ts";

type Kind = NonNullable<MessageInitShape<typeof ClientFrameSchema>["kind"]>;

/** Most publications with QoS 1 and 2 that a client may have unacknowledged (MQTT 5, section 3.2.2.3.3). */
export const receiveMaximum = 256;

/** Carries out a PUBLISH; resolves when the next packet may be read. @throws Breach */
export async function handlePublish(client: Client, packet: IPublishPacket): Promise<void> {
  requireAllowed(client, packet);
  const topic = client.aliases.topicOf(packet);
  const packetId = packet.qos === 0 ? 0 : (packet.messageId as number);
  // A PUBLISH that is sent again while the first is under way is answered with that one.
  if (client.unanswered.isInUse(packetId)) return;
  if (packet.qos === 2 && client.unanswered.isReceived(packetId)) return client.send({ cmd: "pubrec", messageId: packetId, reasonCode: 0 });
  const { responseTopic, correlationData } = packet.properties ?? {};
  const id = client.unanswered.add({ qos: packet.qos, packetId, topic, responseTopic, correlationData });
  try {
    const target = targetOf(topic);
    if (!target) throw noSuchTopic(topic);
    if (responseTopic !== undefined && !isReplyTopic(responseTopic)) throw noSuchTopic(responseTopic);
    await publishTo(target, client, id, packet);
  } catch (error) {
    if (!(error instanceof ParlorError)) throw error;
    const reasonCode = error.reason === Reason.NO_SUCH_METHOD ? { reasonCode: ReasonCode.TOPIC_NAME_INVALID } : {};
    client.settle(id, { error, ...reasonCode });
  }
}

function requireAllowed({ version, unanswered }: Client, { retain, qos, properties }: IPublishPacket): void {
  // Section 3.2.2.3.5: as the CONNACK said. In 3.1.1 nothing can say it before.
  if (retain) throw protocolError("Nothing is retained.", ReasonCode.RETAIN_NOT_SUPPORTED);
  // Section 3.3.2.3.8: only a server sends it.
  if (properties?.subscriptionIdentifier !== undefined) throw protocolError("A client sends no subscription identifier.");
  // Section 3.3.4.
  if (version === 5 && qos > 0 && unanswered.unacknowledged >= receiveMaximum)
    throw protocolError(`More than ${receiveMaximum} publications are unacknowledged.`, ReasonCode.RECEIVE_MAXIMUM_EXCEEDED);
}

async function publishTo(target: Target, client: Client, id: number, packet: IPublishPacket): Promise<void> {
  switch (target.kind) {
    case "history":
      return ask(client, id, MessagesService.method.listMessages, requestOf(ListMessagesRequestSchema, packet), target.roomId);
    case "log":
      return ask(client, id, MessagesService.method.listEvents, requestOf(ListEventsRequestSchema, packet), target.roomId);
    case "send":
      return send(client, id, target.roomId, packet);
    default:
      client.frame(id, frameOf(target, packet));
  }
}

async function send(client: Client, id: number, roomId: string, packet: IPublishPacket): Promise<void> {
  const request = sendRequestOf(packet);
  requireRoom(request.roomId, roomId);
  const { text } = request;
  const given = request.clientMessageId || userProperty(packet, "client_message_id");
  const unkeyed = { packetId: packet.messageId as number, dup: packet.dup, text };
  const clientMessageId = given ?? (packet.qos > 0 ? client.keys.keyOf(unkeyed, client.settledAt) : "");
  client.frame(id, { case: "send", value: { roomId, text, clientMessageId } });
}

type FrameTarget = Exclude<Target, { readonly kind: "send" | "history" | "log" }>;

function frameOf(target: FrameTarget, packet: IPublishPacket): Kind {
  if (target.kind === "presence") {
    const status = presenceOf(packet.payload as Buffer);
    return { case: "setPresence", value: decodeJson(SetPresenceRequestSchema, JSON.stringify({ status })) };
  }
  switch (target.kind) {
    case "read": {
      const request = requestOf(MarkReadRequestSchema, packet);
      requireRoom(request.roomId, target.roomId);
      return { case: "markRead", value: { ...request, roomId: target.roomId } };
    }
    case "typing":
      return { case: "typing", value: { roomId: target.roomId } };
  }
}

/** Asks a service by itself; its answer must fit a packet that this client takes. */
async function ask(client: Client, id: number, method: DescMethod, request: Message & { roomId: string }, roomId: string): Promise<void> {
  requireRoom(request.roomId, roomId);
  request.roomId = roomId;
  const answer = encodeJson(method.output, await client.call(method, create(method.input, request)));
  if (Buffer.byteLength(answer) > maxAnswerBytes)
    throw new ParlorError(Code.RESOURCE_EXHAUSTED, Reason.TOO_LARGE, "The answer is too large for one packet: ask for a smaller page.");
  client.settle(id, { answer });
}

/** Largest answer to a request. */
const maxAnswerBytes = 256 * 1024;

function noSuchTopic(topic: string): ParlorError {
  return new ParlorError(Code.UNIMPLEMENTED, Reason.NO_SUCH_METHOD, `The topic ${topic.slice(0, 200)} is not one that you may publish to.`);
}
