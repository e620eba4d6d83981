/** The load generator: a process of its own that carries out the orders of the bench, one after the other. */
import { bursts } from "./bursts.ts";
import { Crowd } from "./crowd.ts";
import { fixedRate } from "./fixed-rate.ts";
import { Ingest } from "./ingest.ts";
import type { BurstsOrder, FixedRateOrder, IngestOrder, JoinIngestOrder, JoinOrder } from "./orders.ts";

let crowd: Crowd | undefined;
let ingest: Ingest | undefined;

function joined(): Crowd {
  if (!crowd) throw new Error("Nobody has joined yet.");
  return crowd;
}

const orders: Readonly<Record<string, (order: never) => Promise<unknown>>> = {
  join: async (order: JoinOrder) => {
    crowd = await Crowd.join(order);
  },
  bursts: (order: BurstsOrder) => bursts(joined(), order),
  fixedRate: (order: FixedRateOrder) => fixedRate(joined(), order),
  joinIngest: async (order: JoinIngestOrder) => {
    ingest = await Ingest.join(order);
  },
  ingest: (order: IngestOrder) => ingest?.run(order) ?? Promise.reject(new Error("Nobody has joined yet.")),
};

process.on("message", async ({ name, order }: { name: string; order: never }) => {
  process.send?.({ report: await orders[name]?.(order) });
});
