// A bus over a bad network: what is published comes late, and some of it never.
import { MemoryBusHub } from "../../src/engines/bus-memory.ts";
import type { Bus } from "../../src/ports/bus.ts";
import type { ClusterBus } from "./cluster.ts";
import type { Random } from "./random.ts";

export interface BadNetwork {
  /** The longest delay of a payload (milliseconds). Payloads of one node to one topic keep their order. */
  readonly delayMs: number;
  /** How many of a hundred are lost, and nobody is told. */
  readonly lossPercent: number;
}

export function badNetwork(random: Random, network: BadNetwork): ClusterBus {
  const hub = new MemoryBusHub();
  return {
    name: `up to ${network.delayMs} ms late, ${network.lossPercent} % lost`,
    join: () => ({ bus: over(hub.join(), random.fork(), network) }),
    interrupt: async () => {
      const resume = hub.interrupt();
      return async () => resume();
    },
    close: async () => undefined,
  };
}

function over(bus: Bus, random: Random, { delayMs, lossPercent }: BadNetwork): Bus {
  /** By topic: when the last payload arrives. */
  const arrivals = new Map<string, number>();
  const timers = new Set<NodeJS.Timeout>();
  return {
    publish: (topic, payload) => {
      if (random.below(100) < lossPercent) return;
      const now = performance.now();
      const at = Math.max(arrivals.get(topic) ?? 0, now + random.next() * delayMs);
      arrivals.set(topic, at);
      const timer = setTimeout(() => {
        timers.delete(timer);
        bus.publish(topic, payload);
      }, at - now);
      timers.add(timer);
    },
    subscribe: (topic, handler, onGap) => bus.subscribe(topic, handler, onGap),
    close: async () => {
      for (const timer of timers) clearTimeout(timer);
      await bus.close();
    },
  };
}
