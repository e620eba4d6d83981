import { type Bus, busState } from "../ports/bus.ts";
import type { Metrics } from "../ports/metrics.ts";

/** Shows what a bus tells of itself, if it does: one within a process has nothing to tell. */
export function watchBus(bus: Bus, metrics: Metrics): void {
  const state = busState(bus);
  if (state === undefined) return;
  metrics.watch("bus_connected", () => Number((busState(bus) ?? state).connected));
  for (const count of ["published", "dropped", "received", "gaps"] as const)
    metrics.watch(`bus_${count}_total`, () => (busState(bus) ?? state)[count]);
}
