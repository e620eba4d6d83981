import { Code, type ParlorError, Reason } from "@parlor/contract";

// MQTT 5, section 2.4: the codes that are used here.
export const ReasonCode = {
  SUCCESS: 0x00,
  DISCONNECT_WITH_WILL: 0x04,
  NO_SUBSCRIPTION_EXISTED: 0x11,
  UNSPECIFIED: 0x80,
  MALFORMED_PACKET: 0x81,
  PROTOCOL_ERROR: 0x82,
  IMPLEMENTATION_SPECIFIC: 0x83,
  UNSUPPORTED_VERSION: 0x84,
  CLIENT_ID_NOT_VALID: 0x85,
  BAD_USER_NAME_OR_PASSWORD: 0x86,
  NOT_AUTHORIZED: 0x87,
  SERVER_UNAVAILABLE: 0x88,
  BAD_AUTHENTICATION_METHOD: 0x8c,
  SESSION_TAKEN_OVER: 0x8e,
  TOPIC_FILTER_INVALID: 0x8f,
  TOPIC_NAME_INVALID: 0x90,
  PACKET_ID_IN_USE: 0x91,
  RECEIVE_MAXIMUM_EXCEEDED: 0x93,
  TOPIC_ALIAS_INVALID: 0x94,
  PACKET_TOO_LARGE: 0x95,
  MESSAGE_RATE_TOO_HIGH: 0x96,
  QUOTA_EXCEEDED: 0x97,
  PAYLOAD_FORMAT_INVALID: 0x99,
  RETAIN_NOT_SUPPORTED: 0x9a,
  SHARED_NOT_SUPPORTED: 0x9e,
  SUBSCRIPTION_IDS_NOT_SUPPORTED: 0xa1,
} as const;

export type ReasonCode = (typeof ReasonCode)[keyof typeof ReasonCode];

/** The code of the CONNACK of MQTT 3.1.1 (section 3.2.2.3) for one of MQTT 5; undefined where it has none, and just closes. */
export function returnCodeOf(reason: number): number | undefined {
  switch (reason) {
    case ReasonCode.UNSUPPORTED_VERSION:
      return 1;
    case ReasonCode.CLIENT_ID_NOT_VALID:
      return 2;
    case ReasonCode.BAD_USER_NAME_OR_PASSWORD:
      return 4;
    case ReasonCode.NOT_AUTHORIZED:
    case ReasonCode.BAD_AUTHENTICATION_METHOD:
    case ReasonCode.TOPIC_NAME_INVALID:
      return 5;
    case ReasonCode.IMPLEMENTATION_SPECIFIC:
    case ReasonCode.QUOTA_EXCEEDED:
    case ReasonCode.SERVER_UNAVAILABLE:
    case 0x9f:
      return 3;
    default:
      return undefined;
  }
}

/** The code of a CONNACK (MQTT 5, section 3.2.2.2) for what a service refused: it is not the client's packet that is wrong. */
export function connackCodeOf(error: ParlorError): ReasonCode {
  if (error.code === Code.UNAVAILABLE || error.code === Code.DEADLINE_EXCEEDED) return ReasonCode.SERVER_UNAVAILABLE;
  return error.code === Code.UNAUTHENTICATED ? ReasonCode.BAD_USER_NAME_OR_PASSWORD : pubackCodeOf(error);
}

/** The code of a PUBACK (MQTT 5, section 3.4.2.1) for what a service refused. */
export function pubackCodeOf(error: ParlorError): ReasonCode {
  switch (error.code) {
    case Code.INVALID_ARGUMENT:
    case Code.OUT_OF_RANGE:
      return ReasonCode.PAYLOAD_FORMAT_INVALID;
    case Code.NOT_FOUND:
    case Code.PERMISSION_DENIED:
    case Code.UNAUTHENTICATED:
      return ReasonCode.NOT_AUTHORIZED;
    case Code.RESOURCE_EXHAUSTED:
      return ReasonCode.QUOTA_EXCEEDED;
    case Code.ALREADY_EXISTS:
    case Code.FAILED_PRECONDITION:
      return ReasonCode.IMPLEMENTATION_SPECIFIC;
    default:
      return ReasonCode.UNSPECIFIED;
  }
}

/** Whether the same message may be taken later: then a client that cannot be told why keeps it. */
export function isPassing({ code, reason }: ParlorError): boolean {
  if (code === Code.RESOURCE_EXHAUSTED) return reason !== Reason.TOO_LARGE;
  return code === Code.UNAVAILABLE || code === Code.INTERNAL || code === Code.DEADLINE_EXCEEDED;
}
