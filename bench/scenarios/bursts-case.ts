import type { Subject } from "../subjects/subject.ts";
import { withCrowd } from "./crowd-round.ts";
import type { Case } from "./scenario.ts";

interface BurstsLoad {
  readonly name: string;
  readonly listeners: number;
  /** Messages sent at once; the next ones follow when everyone has them. */
  readonly inFlight: number;
  readonly subjects: readonly Subject[];
  /** Figures shown beside the usual ones. */
  readonly columns?: readonly string[];
}

/** Until a server in JavaScript or WebAssembly has handled so many messages that its code is compiled to the end (seconds). */
const fullWarmUp = 15;

/** A closed loop: as many messages as the server can deliver, a fixed number of them under way. */
export function burstsCase(load: BurstsLoad): Case {
  return {
    name: load.name,
    subjects: load.subjects,
    columns: ["deliveriesPerSecond", "cpuMicrosPerDelivery", "burstP50", "rssMib", "generatorBusy", ...(load.columns ?? [])],
    round: (subject, settings) =>
      withCrowd(subject, settings, load.listeners, async ({ generator, measure }) => {
        const [warmUp, seconds] = settings.quick ? [1, 2] : [fullWarmUp, 8];
        await generator.bursts({ inFlight: load.inFlight, seconds: warmUp });
        return await measure(() => generator.bursts({ inFlight: load.inFlight, seconds }));
      }),
  };
}
