import type { DescMessage, DescMethod } from "@bufbuild/protobuf";
import { mqttChannels, mqttMessages, mqttOperations, mqttRoots } from "./asyncapi-mqtt.ts";
import { type Contract, commentOf, shortName } from "./contract.ts";
import { describeMessage, title } from "./describe.ts";
import { exampleOf } from "./examples.ts";
import { reachable, type Schema, schemasOf } from "./schemas.ts";

/** The AsyncAPI 3 document of the stream: what clients send on the WebSocket, and what the server sends. */
export function asyncapi(contract: Contract, version: string): Schema {
  const connect = streamOf(contract);
  const { input, output } = connect;
  const mqtt = mqttRoots(contract);
  const inputs = new Set([...reachable([input, ...mqtt.requests])].filter((desc) => desc.kind === "message"));
  return {
    asyncapi: "3.1.0",
    info: {
      title: "Parlor's stream",
      version,
      description: commentOf(connect),
      license: { name: "MIT", url: "https://opensource.org/license/mit" },
    },
    defaultContentType: "application/json",
    servers: {
      local: {
        host: "localhost:8080",
        pathname: "/api/v1",
        protocol: "ws",
        description: "A server started with its defaults.",
        security: [{ $ref: "#/components/securitySchemes/bearerAuth" }],
      },
      devices: {
        host: "localhost:8080",
        protocol: "mqtt",
        protocolVersion: "5.0",
        description: "The same server for MQTT 5 and 3.1.1. docs/mqtt.md says more.",
        security: [{ $ref: "#/components/securitySchemes/tokenAsPassword" }],
      },
    },
    channels: { realtime: channel(connect), ...mqttChannels() },
    operations: { receiveClientFrame: operation(input, "receive"), sendServerFrame: operation(output, "send"), ...mqttOperations() },
    components: {
      securitySchemes: {
        bearerAuth: {
          type: "http",
          scheme: "bearer",
          description: "An access token or API token; or leave it out, and give it in the hello.",
        },
        tokenAsPassword: { type: "userPassword", description: "The user name, and an access token or API token as the password." },
      },
      messages: { [input.name]: message(input), [output.name]: message(output), ...mqttMessages(mqtt) },
      schemas: schemasOf([input, output, ...mqtt.requests, ...mqtt.answers], inputs),
    },
  };
}

function streamOf({ services }: Contract): DescMethod {
  const streams = services.flatMap((service) => service.methods.filter((method) => method.methodKind === "bidi_streaming"));
  const [connect] = streams;
  if (connect === undefined || streams.length > 1) throw new Error("The contract must have one stream");
  return connect;
}

function channel({ input, output, parent, name }: DescMethod): Schema {
  return {
    address: "/realtime",
    servers: [{ $ref: "#/servers/local" }],
    title: "The stream",
    description: `One WebSocket with the subprotocol \`parlor.v1.json\`, one frame a text message; the same frames are on gRPC as \`${parent.typeName}/${name}\`.`,
    messages: Object.fromEntries([input, output].map((frame) => [frame.name, { $ref: `#/components/messages/${frame.name}` }])),
    bindings: { ws: { method: "GET", bindingVersion: "0.1.0" } },
  };
}

function operation(frame: DescMessage, action: "receive" | "send"): Schema {
  return {
    action,
    channel: { $ref: "#/channels/realtime" },
    summary: describeMessage(frame),
    messages: [{ $ref: `#/channels/realtime/messages/${frame.name}` }],
  };
}

export function message(frame: DescMessage): Schema {
  return {
    name: frame.name,
    title: title(frame),
    summary: describeMessage(frame),
    payload: { $ref: `#/components/schemas/${shortName(frame)}` },
    examples: [{ payload: exampleOf(frame) }],
  };
}
