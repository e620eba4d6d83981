import type { Realtime } from "../realtime/connection.ts";
import type { Api } from "../services/api.ts";
import { actAs } from "../services/users/act-as.ts";
import type { Bridge } from "../transports/bridge/bridge.ts";
import type { Node } from "./node.ts";

/** The bridge to an MQTT broker, where the configuration names one. It is loaded only then. */
export async function openBridge({ config: { bridge }, store, log }: Node, api: Api, realtime: Realtime): Promise<Bridge | undefined> {
  const { brokerUrl, name, shared, token } = bridge;
  if (brokerUrl === undefined) return undefined;
  const { Bridge } = await import("../transports/bridge/bridge.ts");
  return new Bridge({ brokerUrl, name, shared, token, api, realtime, log, actAs: (username) => actAs(store, username) });
}
