import { Code, Goodbye_Reason as Why } from "@parlor/contract";

/** What a protocol says beside the goodbye itself. */
interface Ending {
  /** RFC 6455, section 7.4: 1000 to 1015 where one fits, otherwise 4000 and the number of the reason. */
  readonly webSocket: number;
  readonly grpc: Code;
}

/** How each protocol ends a stream, for every reason of the contract. */
export const endings: { readonly [R in Why]: Ending } = {
  [Why.REASON_UNSPECIFIED]: { webSocket: 1000, grpc: Code.OK },
  [Why.SHUTDOWN]: { webSocket: 1012, grpc: Code.UNAVAILABLE },
  [Why.SLOW_CONSUMER]: { webSocket: 4002, grpc: Code.RESOURCE_EXHAUSTED },
  [Why.HEARTBEAT_TIMEOUT]: { webSocket: 4003, grpc: Code.DEADLINE_EXCEEDED },
  [Why.HELLO_TIMEOUT]: { webSocket: 4004, grpc: Code.DEADLINE_EXCEEDED },
  [Why.UNAUTHENTICATED]: { webSocket: 4005, grpc: Code.UNAUTHENTICATED },
  [Why.TOKEN_EXPIRED]: { webSocket: 4006, grpc: Code.UNAUTHENTICATED },
  [Why.SESSION_REVOKED]: { webSocket: 4007, grpc: Code.UNAUTHENTICATED },
  [Why.DEACTIVATED]: { webSocket: 4008, grpc: Code.UNAUTHENTICATED },
  [Why.BAD_FRAME]: { webSocket: 4009, grpc: Code.INVALID_ARGUMENT },
  [Why.FRAME_TOO_LARGE]: { webSocket: 1009, grpc: Code.RESOURCE_EXHAUSTED },
  [Why.TOO_MANY_CONNECTIONS]: { webSocket: 4011, grpc: Code.RESOURCE_EXHAUSTED },
  [Why.RATE_LIMITED]: { webSocket: 4012, grpc: Code.RESOURCE_EXHAUSTED },
  [Why.INTERNAL]: { webSocket: 1011, grpc: Code.INTERNAL },
};
