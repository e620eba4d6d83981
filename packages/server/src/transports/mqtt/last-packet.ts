import type { Goodbye_Reason } from "@parlor/contract";
import type { Packet } from "mqtt-packet";
import { endings } from "../goodbyes.ts";
import { refusalOf } from "./connack.ts";
import type { Version } from "./packets.ts";

/** Of a connection: `new` until a CONNECT has come, `opening` until the CONNACK, `open`, `ended`. */
export type State = "new" | "opening" | "open" | "ended";

/** Why a connection ends. */
interface Cause {
  readonly reason: Goodbye_Reason;
  /** Where the reason does not tell it. */
  readonly reasonCode: number | undefined;
  readonly message: string | undefined;
}

/** What tells a client why: a CONNACK before it is let in, then a DISCONNECT, which MQTT 3.1.1 does not have. */
export function lastPacketOf(state: State, version: Version, { reason, reasonCode, message }: Cause): Packet | undefined {
  const ending = endings[reason];
  if (state === "opening") return refusalOf(version, reasonCode ?? ending.mqttConnack, message);
  if (state !== "open" || version === 4) return undefined;
  const properties = message === undefined ? {} : { properties: { reasonString: message } };
  return { cmd: "disconnect", reasonCode: reasonCode ?? ending.mqtt, ...properties };
}
