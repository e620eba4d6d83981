import { ManualClock } from "./manual-clock.ts";

/** A clock on which every wait before another try is over at once, and kept for the test to see; deadlines stand still. */
export class HastyClock extends ManualClock {
  readonly waits: number[] = [];

  override after(ms: number, run: () => void): () => void {
    if (ms >= 15_000) return super.after(ms, run);
    this.waits.push(ms);
    queueMicrotask(run);
    return () => undefined;
  }
}
