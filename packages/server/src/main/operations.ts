import type { Accounts } from "./accounts.ts";
import type { Node } from "./node.ts";

/** What operators ask for: health, metrics, public keys. */
export function operationsOf({ config, database, metrics }: Node, { auth }: Accounts) {
  return {
    ready: () =>
      database.query("select 1").then(
        () => true,
        () => false,
      ),
    jwks: () => auth.keys.jwks,
    metrics: async () => ({ contentType: metrics.contentType, text: await metrics.render() }),
    metricsFor: config.server.metrics,
  };
}
