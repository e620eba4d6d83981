import { hash, randomUUID } from "node:crypto";
import { setTimeout as later } from "node:timers/promises";
import { type Message, toJson } from "@bufbuild/protobuf";
import { Code, MessagesService, ParlorError, Reason, type SendMessageResponse, SendMessageResponseSchema } from "@parlor/contract";
import type { IPublishPacket, MqttClient } from "mqtt";
import type { Call, Caller } from "../../domain/call.ts";
import { newId } from "../../domain/ids.ts";
import { notExisting } from "../../domain/refusals.ts";
import type { Log } from "../../ports/log.ts";
import type { Api } from "../../services/api.ts";
import { refusalOf } from "../errors.ts";
import { bytesOf, requireRoom, sendRequestOf } from "../mqtt-payloads.ts";
import type { PacketLimit } from "./packet-limit.ts";
import { resultsTopic, type SendTopic, sendTopic } from "./topics.ts";

export interface IncomingOptions {
  /** Where answers go. */
  readonly client: MqttClient;
  readonly limit: PacketLimit;
  /** The client id to which the broker sends, and sends again what was not acknowledged. */
  readonly clientId: string;
  readonly api: Api;
  /** The person of a user name; undefined when there is none who may sign in. */
  readonly actAs: (username: string) => Promise<Caller | undefined>;
  readonly log: Log;
  /** Ends the waiting for a server that cannot store now. */
  readonly signal: AbortSignal;
}

/** How long until a send that could not be stored is tried again, at first and at most (milliseconds). */
const firstWaitMs = 100;
const longestWaitMs = 5000;

/** Takes sends from the broker, and lets each be acknowledged when it is stored or refused for good. */
export class Incoming {
  readonly #options: IncomingOptions;

  constructor(options: IncomingOptions) {
    this.#options = options;
  }

  /** Resolves when the packet may be acknowledged; rejects when the bridge is closed before. */
  async take(packet: IPublishPacket): Promise<void> {
    this.#options.signal.throwIfAborted();
    const place = sendTopic(packet.topic);
    if (!place) return;
    const requestId = newId();
    try {
      const response = await this.#stored(place, packet, requestId);
      this.#answer(place, packet, response);
    } catch (thrown) {
      if (this.#options.signal.aborted) throw thrown;
      const error = refusalOf(thrown, requestId, this.#options.log);
      this.#options.log.warn({ requestId, username: place.username, reason: Reason[error.reason] }, "A send from the broker was refused.");
      this.#refuse(place, packet, error);
    }
  }

  /** Tries until the send is stored or refused: what the server cannot do now stays with the broker. */
  async #stored(place: SendTopic, packet: IPublishPacket, requestId: string): Promise<SendMessageResponse> {
    for (let waitMs = firstWaitMs; ; waitMs = Math.min(2 * waitMs, longestWaitMs)) {
      try {
        return await this.#send(place, packet, requestId);
      } catch (error) {
        if (!isPassing(error)) throw error;
        await later(waitMs * (0.5 + Math.random() / 2), undefined, { signal: this.#options.signal });
      }
    }
  }

  async #send({ username, roomId }: SendTopic, packet: IPublishPacket, requestId: string): Promise<SendMessageResponse> {
    const { api, actAs, clientId } = this.#options;
    const caller = await actAs(username);
    // Whoever the broker knows and the server does not may learn nothing of rooms.
    if (!caller) throw notExisting();
    const call: Call = { requestId, protocol: "mqtt", address: `bridge ${clientId}`, caller };
    const request = sendRequestOf(packet);
    requireRoom(request.roomId, roomId);
    const given = request.clientMessageId !== "" ? request.clientMessageId : propertyOf(packet, "client_message_id");
    const key = given ?? derivedKey(clientId, packet);
    const send = (clientMessageId: string): Promise<Message> =>
      api.call(MessagesService.method.sendMessage, { ...request, roomId, clientMessageId } as Message, call);
    const response = (await send(key)) as SendMessageResponse;
    // A packet that was never sent before is no repeat: its id was in use before, for a message of the same words.
    return given === undefined && response.duplicate && !packet.dup ? ((await send(randomUUID())) as SendMessageResponse) : response;
  }

  #answer(place: SendTopic, packet: IPublishPacket, response: SendMessageResponse): void {
    const topic = answerTopic(place, packet);
    if (topic === undefined) return;
    this.#publish(topic, packet, JSON.stringify(toJson(SendMessageResponseSchema, response, { alwaysEmitImplicit: true })));
  }

  /** A refusal is told also to who has not asked for answers: nothing else would tell that the message is not there. */
  #refuse(place: SendTopic, packet: IPublishPacket, error: ParlorError): void {
    const { message, retryAfterMs } = error;
    const text = JSON.stringify({ error: { code: Code[error.code], reason: Reason[error.reason], message, retryAfterMs } });
    this.#publish(answerTopic(place, packet) ?? resultsTopic(place.username), packet, text);
  }

  #publish(topic: string, { properties }: IPublishPacket, payload: string): void {
    const { client, limit, log } = this.#options;
    const correlationData = properties?.correlationData;
    const options = { qos: 0, properties: { contentType: "application/json", ...(correlationData && { correlationData }) } } as const;
    if (limit.allows(topic, payload, options)) client.publish(topic, payload, options);
    else log.warn({ topic }, "An answer is too large for the broker: the bridge leaves it out.");
  }
}

/**
 * The key of a packet that brings none: after a crash the broker sends it again, under the same packet id to the same client
 * id (MQTT 5, section 4.4), and it must not be stored twice.
 */
function derivedKey(clientId: string, packet: IPublishPacket): string {
  const parts = [clientId, String(packet.messageId), packet.topic, hash("sha256", bytesOf(packet), "hex")];
  return `mqtt-${hash("sha256", parts.join("\n"), "hex").slice(0, 40)}`;
}

function propertyOf(packet: IPublishPacket, name: string): string | undefined {
  const value = packet.properties?.userProperties?.[name];
  return Array.isArray(value) ? value[0] : value;
}

/** Whether the same send may succeed later without anyone's doing. */
function isPassing(error: unknown): boolean {
  if (!(error instanceof ParlorError)) return false;
  return error.code === Code.UNAVAILABLE || error.code === Code.DEADLINE_EXCEEDED || error.reason === Reason.OVERLOADED;
}

/** The topic that was asked for, if it is one of the sender's own: nobody makes the bridge write to others, or send in their name. */
function answerTopic({ username }: SendTopic, { properties }: IPublishPacket): string | undefined {
  const topic = properties?.responseTopic;
  return topic?.startsWith(`parlor/v1/u/${username}/`) && !/[+#\0]/.test(topic) && !sendTopic(topic) ? topic : undefined;
}
