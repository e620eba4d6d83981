import type { Realtime } from "../realtime/connection.ts";
import type { Api } from "../services/api.ts";
import { actAs } from "../services/users/act-as.ts";
import { Bridge } from "../transports/bridge/bridge.ts";
import type { Node } from "./node.ts";

/** The bridge to an MQTT broker, where the configuration names one. */
export function openBridge({ config: { bridge }, store, log }: Node, api: Api, realtime: Realtime): Bridge | undefined {
  const { brokerUrl, name, shared, token } = bridge;
  if (brokerUrl === undefined) return undefined;
  return new Bridge({ brokerUrl, name, shared, token, api, realtime, log, actAs: (username) => actAs(store, username) });
}
