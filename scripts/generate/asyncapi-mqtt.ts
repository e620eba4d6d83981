import type { DescMessage } from "@bufbuild/protobuf";
import type { Contract } from "./contract.ts";
import { shortName } from "./contract.ts";
import { describeMessage, title } from "./describe.ts";
import { exampleOf } from "./examples.ts";
import type { Schema } from "./schemas.ts";

/** A topic on which clients publish: what it takes, and what comes to the response topic. */
interface Request {
  readonly address: string;
  readonly summary: string;
  readonly request: string;
  readonly answer: string;
}

const room = "parlor/v1/rooms/{room_id}";

const requests: Readonly<Record<string, Request>> = {
  mqttSend: {
    address: `${room}/send`,
    summary: "Sends a message; the payload may also be its text.",
    request: "SendMessageRequest",
    answer: "SendMessageResponse",
  },
  mqttTyping: { address: `${room}/typing`, summary: "The caller is typing.", request: "TypingRequest", answer: "TypingResponse" },
  mqttRead: { address: `${room}/read`, summary: "Moves the read marker.", request: "MarkReadRequest", answer: "MarkReadResponse" },
  mqttHistory: {
    address: `${room}/history`,
    summary: "Asks for messages.",
    request: "ListMessagesRequest",
    answer: "ListMessagesResponse",
  },
  mqttLog: { address: `${room}/log`, summary: "Asks for the log.", request: "ListEventsRequest", answer: "ListEventsResponse" },
  mqttPresence: {
    address: "parlor/v1/me/presence",
    summary: "How the caller wants to appear.",
    request: "SetPresenceRequest",
    answer: "SetPresenceResponse",
  },
};

/** The messages of the contract that are payloads of MQTT. */
export interface MqttRoots {
  readonly requests: readonly DescMessage[];
  readonly answers: readonly DescMessage[];
}

export function mqttRoots({ messages }: Contract): MqttRoots {
  const named = (name: string): DescMessage => {
    const found = messages.find((desc) => desc.name === name);
    if (!found) throw new Error(`The contract has no ${name}`);
    return found;
  };
  const all = Object.values(requests);
  return {
    requests: all.map(({ request }) => named(request)),
    answers: [named("Event"), named("Gap"), ...all.map(({ answer }) => named(answer))],
  };
}

export function mqttMessages({ requests: asked, answers }: MqttRoots): Schema {
  return { ...Object.fromEntries([...asked, ...answers].map((desc) => [desc.name, payload(desc)])), MqttRefusal: refusal };
}

/** The one payload that is not a message of the contract. */
const refusal: Schema = {
  name: "MqttRefusal",
  title: "Refusal",
  summary: "What was published, and why it was refused.",
  payload: {
    type: "object",
    properties: {
      topic: { type: "string", description: "Where it was published." },
      error: { $ref: "#/components/schemas/Error" },
    },
    required: ["topic", "error"],
  },
  examples: [
    {
      payload: {
        topic: "parlor/v1/rooms/0199a5c4-7d10-7c3e-9f43-1a2b3c4d5e01/send",
        error: { code: "PERMISSION_DENIED", reason: "READ_ONLY", message: "You may only read here." },
      },
    },
  ],
};

export function mqttChannels(): Schema {
  const published = Object.entries(requests).map(([name, { address, summary, request }]) => [name, channel(address, summary, [request])]);
  return {
    ...Object.fromEntries(published),
    mqttEvents: channel(`${room}/events`, "What happens in a room; + stands for every room of the caller. QoS 1 goes on where it was.", [
      "Event",
    ]),
    mqttGaps: channel("parlor/v1/me/gaps", "What retention removed before a session that comes back got it.", ["Gap"]),
    mqttErrors: channel("parlor/v1/me/errors", "What was refused of what the caller published without a response topic.", ["MqttRefusal"]),
    mqttReplies: channel(
      "parlor/v1/me/replies/{name}",
      "The caller's own response topics.",
      Object.values(requests).map(({ answer }) => answer),
    ),
  };
}

/** Topics have their own names in operations: "receive" is what the server takes. */
export function mqttOperations(): Schema {
  const taken = Object.entries(requests).map(([name, { summary, request, answer }]) => [
    name,
    {
      action: "receive",
      channel: ref(name),
      summary,
      messages: [{ $ref: `#/channels/${name}/messages/${request}` }],
      reply: {
        address: { location: "$message.header#/responseTopic" },
        channel: ref("mqttReplies"),
        messages: [{ $ref: `#/channels/mqttReplies/messages/${answer}` }],
      },
    },
  ]);
  return {
    ...Object.fromEntries(taken),
    mqttEvents: published("mqttEvents", "Publishes an event of a room.", "Event", 1),
    mqttGaps: published("mqttGaps", "Says, after the CONNACK, what will not come.", "Gap", 0),
    mqttErrors: published("mqttErrors", "Says why a publication was refused.", "MqttRefusal", 0),
  };
}

function published(name: string, summary: string, message: string, qos: 0 | 1): Schema {
  return {
    action: "send",
    channel: ref(name),
    summary,
    messages: [{ $ref: `#/channels/${name}/messages/${message}` }],
    bindings: { mqtt: { qos, retain: false, bindingVersion: "0.2.0" } },
  };
}

function ref(name: string): Schema {
  return { $ref: `#/channels/${name}` };
}

function channel(address: string, description: string, names: readonly string[]): Schema {
  const parameters = Object.fromEntries(
    [...address.matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => [
      name,
      { description: name === "room_id" ? "The room, a lower-case UUID." : "Any name of the client's." },
    ]),
  );
  return {
    address,
    description,
    servers: [{ $ref: "#/servers/devices" }],
    ...(Object.keys(parameters).length > 0 && { parameters }),
    messages: Object.fromEntries(names.map((name) => [name, { $ref: `#/components/messages/${name}` }])),
  };
}

function payload(desc: DescMessage): Schema {
  return {
    name: desc.name,
    title: title(desc),
    summary: describeMessage(desc),
    payload: { $ref: `#/components/schemas/${shortName(desc)}` },
    examples: [{ payload: exampleOf(desc) }],
  };
}
