import type { IConnackPacket, Packet } from "mqtt-packet";
import type { SessionHold } from "../../realtime/durable-session.ts";
import type { ConnectRequest } from "./connect.ts";
import type { Version } from "./packets.ts";
import { receiveMaximum } from "./publish.ts";
import { returnCodeOf } from "./reason-codes.ts";
import { topicAliasMaximum } from "./topic-aliases.ts";
import { topics } from "./topics.ts";

/** The CONNACK of a connection that is open, with what is not as the standard's defaults (MQTT 5, section 3.2.2.3). */
export function connackOf(request: ConnectRequest, session: SessionHold | undefined, maximumPacketSize: number): IConnackPacket {
  const kept = session?.expirySeconds ?? 0;
  return {
    cmd: "connack",
    sessionPresent: session?.stored !== undefined,
    returnCode: 0,
    reasonCode: 0,
    properties: {
      receiveMaximum,
      retainAvailable: false,
      maximumPacketSize,
      topicAliasMaximum,
      subscriptionIdentifiersAvailable: false,
      ...(kept !== request.expirySeconds && { sessionExpiryInterval: kept }),
      ...(request.assigned && { assignedClientIdentifier: request.clientId }),
      ...(request.wantsResponseTopic && { responseInformation: topics.replies }),
    },
  };
}

/** The CONNACK of a connection that is refused; undefined where the standard wants it closed without one. */
export function refusalOf(version: Version, reasonCode: number, reasonString: string | undefined): Packet | undefined {
  const returnCode = returnCodeOf(reasonCode);
  if (version === 4) return returnCode === undefined ? undefined : { cmd: "connack", sessionPresent: false, returnCode };
  const properties = reasonString === undefined ? {} : { properties: { reasonString } };
  return { cmd: "connack", sessionPresent: false, reasonCode, ...properties };
}
