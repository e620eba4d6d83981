/** The load generator: a process of its own that carries out the orders of the bench, one after the other. */
import { bursts } from "./bursts.ts";
import { Crowd } from "./crowd.ts";
import { fixedRate } from "./fixed-rate.ts";
import type { BurstsOrder, FixedRateOrder, JoinOrder } from "./orders.ts";

let crowd: Crowd | undefined;

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
};

process.on("message", async ({ name, order }: { name: string; order: never }) => {
  process.send?.({ report: await orders[name]?.(order) });
});
