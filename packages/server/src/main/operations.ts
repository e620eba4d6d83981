import { busState } from "../ports/bus.ts";
import { remoteJwks } from "../services/remote/remote-jwks.ts";
import type { Operations } from "../transports/rest/operations.ts";
import type { Accounts } from "./accounts.ts";
import type { Base, Node } from "./node.ts";
import type { Places } from "./places.ts";

/** What operators ask for: health, metrics, public keys. */
export function operationsOf(
  { config, bus, metrics }: Base,
  places: Places,
  here: { readonly node: Node; readonly accounts: Accounts } | undefined,
): Operations {
  const standing = here
    ? { ready: () => answers(here.node.database), jwks: () => here.accounts.auth.keys.jwks }
    : { ready: () => places.elsewhere("auth").reachable(), jwks: remoteJwks(places.elsewhere("auth")) };
  return {
    ...standing,
    ...(!places.areAllHere && { reachable: () => places.reachable() }),
    busConnected: () => busState(bus)?.connected,
    metrics: async () => ({ contentType: metrics.contentType, text: await metrics.render() }),
    metricsFor: config.server.metrics,
  };
}

function answers(database: Node["database"]): Promise<boolean> {
  return database.query("select 1").then(
    () => true,
    () => false,
  );
}
