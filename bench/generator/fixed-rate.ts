import { setImmediate, setTimeout } from "node:timers/promises";
import { percentile } from "../measure/statistics.ts";
import type { Crowd } from "./crowd.ts";
import { observed } from "./load.ts";
import type { FixedRateOrder, FixedRateReport } from "./orders.ts";

/** Timers wake up late by a millisecond or two; the generator wakes up that much early and waits busily for the rest. */
const TIMER_LATENESS = 2;

/**
 * Sends messages at fixed times. A delivery's latency counts from when the message was due, so that a server which holds
 * up the sender cannot hide it (no coordinated omission). Each member hears the messages in order: the n-th it hears is the
 * n-th that was due.
 */
export async function fixedRate(crowd: Crowd, order: FixedRateOrder): Promise<FixedRateReport> {
  const messages = Math.round(order.perSecond * order.seconds);
  const start = performance.now() + 10;
  const due = Array.from({ length: messages }, (_, index) => start + (index * 1000) / order.perSecond);
  const latencies: number[] = [];
  crowd.onHeard = latencyRecorder(crowd.listeners, due, latencies);
  const report = await observed(crowd.listeners, async () => {
    for (const time of due) {
      await until(time);
      crowd.send(1);
    }
    await crowd.settled();
    return messages;
  });
  return { ...report, p50: percentile(latencies, 0.5), p99: percentile(latencies, 0.99) };
}

function latencyRecorder(listeners: number, due: readonly number[], latencies: number[]): Crowd["onHeard"] {
  const heard = new Array<number>(listeners).fill(0);
  return (member, messages) => {
    const now = performance.now();
    const first = heard[member] as number;
    heard[member] = first + messages;
    for (let index = first; index < first + messages; index++) latencies.push(now - (due[index] as number));
  };
}

async function until(time: number): Promise<void> {
  const rest = time - performance.now() - TIMER_LATENESS;
  if (rest > 0) await setTimeout(rest);
  while (performance.now() < time) await setImmediate();
}
