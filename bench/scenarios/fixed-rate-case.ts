import type { Subject } from "../subjects/subject.ts";
import { withCrowd } from "./crowd-round.ts";
import type { Case, Settings } from "./scenario.ts";

interface FixedRateLoad {
  readonly name: string;
  readonly listeners: number;
  readonly perSecond: number;
  readonly subjects: readonly Subject[];
}

/** An open loop: messages at fixed times, whether or not the server keeps up. */
export function fixedRateCase(load: FixedRateLoad): Case {
  return {
    name: load.name,
    subjects: load.subjects,
    columns: ["p50", "p99", "aloneP50", "cpuMicrosPerDelivery", "rssMib", "generatorBusy"],
    round: async (subject, settings) => {
      const aloneP50 = await sentAlone(subject, settings);
      return await withCrowd(subject, settings, load.listeners, async ({ generator, measure }) => {
        const [warmUp, seconds] = settings.quick ? [1, 4] : [5, 60];
        await generator.fixedRate({ perSecond: load.perSecond, seconds: warmUp });
        const report = await measure(() => generator.fixedRate({ perSecond: load.perSecond, seconds }));
        return { ...report, aloneP50 };
      });
    },
  };
}

/** How long a message takes to a single listener of an idle server: a round trip, and what the server does to store it. */
async function sentAlone(subject: Subject, settings: Settings): Promise<number> {
  return await withCrowd(subject, settings, 1, async ({ generator }) => {
    const order = { inFlight: 1, seconds: settings.quick ? 0.5 : 2 };
    await generator.bursts(order);
    return (await generator.bursts(order)).burstP50;
  });
}
