import type { LoadReport } from "./orders.ts";

/** Runs a load and reports how long it took and how busy it kept this process. `load` returns the messages it sent. */
export async function observed(listeners: number, load: () => Promise<number>): Promise<LoadReport> {
  const started = performance.now();
  const cpu = process.cpuUsage();
  const messages = await load();
  const seconds = (performance.now() - started) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  return { seconds, messages, deliveries: messages * listeners, generatorBusy: (user + system) / 1e6 / seconds };
}
