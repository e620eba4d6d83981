import { Code, Goodbye_Reason as Why } from "@parlor/contract";

/** What a protocol says beside the goodbye itself. */
interface Ending {
  /** RFC 6455, section 7.4: 1000 to 1015 where one fits, otherwise 4000 and the number of the reason. */
  readonly webSocket: number;
  readonly grpc: Code;
  /** MQTT 5, section 3.14.2.1: of the DISCONNECT; 3.1.1 has none, and closes. */
  readonly mqtt: number;
  /** MQTT 5, section 3.2.2.2: of the CONNACK, when the connection ends before it was accepted. */
  readonly mqttConnack: number;
}

/** How each protocol ends a stream, for every reason of the contract. */
export const endings: { readonly [R in Why]: Ending } = {
  [Why.REASON_UNSPECIFIED]: { webSocket: 1000, grpc: Code.OK, mqtt: 0x00, mqttConnack: 0x80 },
  [Why.SHUTDOWN]: { webSocket: 1012, grpc: Code.UNAVAILABLE, mqtt: 0x8b, mqttConnack: 0x88 },
  [Why.SLOW_CONSUMER]: { webSocket: 4002, grpc: Code.RESOURCE_EXHAUSTED, mqtt: 0x97, mqttConnack: 0x97 },
  [Why.HEARTBEAT_TIMEOUT]: { webSocket: 4003, grpc: Code.DEADLINE_EXCEEDED, mqtt: 0x8d, mqttConnack: 0x80 },
  [Why.HELLO_TIMEOUT]: { webSocket: 4004, grpc: Code.DEADLINE_EXCEEDED, mqtt: 0x8d, mqttConnack: 0x80 },
  [Why.UNAUTHENTICATED]: { webSocket: 4005, grpc: Code.UNAUTHENTICATED, mqtt: 0x87, mqttConnack: 0x87 },
  [Why.TOKEN_EXPIRED]: { webSocket: 4006, grpc: Code.UNAUTHENTICATED, mqtt: 0xa0, mqttConnack: 0x86 },
  [Why.SESSION_REVOKED]: { webSocket: 4007, grpc: Code.UNAUTHENTICATED, mqtt: 0x98, mqttConnack: 0x87 },
  [Why.DEACTIVATED]: { webSocket: 4008, grpc: Code.UNAUTHENTICATED, mqtt: 0x98, mqttConnack: 0x8a },
  [Why.BAD_FRAME]: { webSocket: 4009, grpc: Code.INVALID_ARGUMENT, mqtt: 0x82, mqttConnack: 0x82 },
  [Why.FRAME_TOO_LARGE]: { webSocket: 1009, grpc: Code.RESOURCE_EXHAUSTED, mqtt: 0x95, mqttConnack: 0x95 },
  [Why.TOO_MANY_CONNECTIONS]: { webSocket: 4011, grpc: Code.RESOURCE_EXHAUSTED, mqtt: 0x97, mqttConnack: 0x97 },
  [Why.RATE_LIMITED]: { webSocket: 4012, grpc: Code.RESOURCE_EXHAUSTED, mqtt: 0x96, mqttConnack: 0x9f },
  [Why.INTERNAL]: { webSocket: 1011, grpc: Code.INTERNAL, mqtt: 0x83, mqttConnack: 0x83 },
};
