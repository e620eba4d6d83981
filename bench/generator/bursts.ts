import { percentile } from "../measure/statistics.ts";
import type { Crowd } from "./crowd.ts";
import { observed } from "./load.ts";
import type { BurstsOrder, BurstsReport } from "./orders.ts";

/** Sends `inFlight` messages, waits until everyone has them all, and repeats that for so many seconds. */
export async function bursts(crowd: Crowd, order: BurstsOrder): Promise<BurstsReport> {
  const times: number[] = [];
  const report = await observed(crowd.listeners, async () => {
    await repeatBursts(crowd, order, times);
    return times.length * order.inFlight;
  });
  await crowd.settled();
  return { ...report, burstP50: percentile(times, 0.5) };
}

function repeatBursts(crowd: Crowd, order: BurstsOrder, times: number[]): Promise<void> {
  const end = performance.now() + order.seconds * 1000;
  return new Promise((resolve) => {
    let missing = 0;
    let sent = 0;
    const send = (): void => {
      missing = order.inFlight * crowd.listeners;
      sent = performance.now();
      crowd.send(order.inFlight);
    };
    crowd.onHeard = (_member, messages) => {
      missing -= messages;
      if (missing > 0) return;
      const now = performance.now();
      times.push(now - sent);
      if (now < end) send();
      else resolve();
    };
    send();
  });
}
