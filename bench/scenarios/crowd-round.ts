import { Generator } from "../generator/generator.ts";
import type { LoadReport } from "../generator/orders.ts";
import { preciseCpuSeconds, type Usage, usageOf } from "../measure/processes.ts";
import type { Running, Subject } from "../subjects/subject.ts";
import type { Metrics, Settings } from "./scenario.ts";

const MICROS = 1e6;
const MIB = 2 ** 20;

/** A server with its members joined, ready for a load. */
export interface Joined {
  readonly generator: Generator;
  /** Runs a load and adds to its report what the server used meanwhile. */
  measure(load: () => Promise<LoadReport>): Promise<Metrics>;
}

/** Starts a server, brings its members in, gives both to `work`, and stops everything. */
export async function withCrowd<Result>(
  subject: Subject,
  settings: Settings,
  listeners: number,
  work: (joined: Joined) => Promise<Result>,
): Promise<Result> {
  await using running = await subject.start(settings, listeners);
  settings.started(running.command);
  await using generator = new Generator();
  await generator.join({ protocol: subject.protocol, door: running.door, listeners });
  return await work({ generator, measure: (load) => measured(running, load) });
}

/** Runs a load and adds to its report what the server used meanwhile. */
export async function measured(running: Running, load: () => Promise<LoadReport>): Promise<Metrics> {
  const { pids, redisPids } = running;
  const [before, redisBefore] = [usageOf(pids), preciseCpuSeconds(redisPids ?? [])];
  const report = await load();
  const metrics = { ...report, ...used(report, before, usageOf(pids)) };
  if (!redisPids) return metrics;
  const redisSeconds = preciseCpuSeconds(redisPids) - redisBefore;
  return { ...metrics, redisMicrosPerMessage: (redisSeconds * MICROS) / report.messages };
}

function used(report: LoadReport, before: Usage, after: Usage): Metrics {
  const cpuSeconds = after.cpuSeconds - before.cpuSeconds;
  return {
    cpuSeconds,
    cpuMicrosPerDelivery: (cpuSeconds * MICROS) / report.deliveries,
    deliveriesPerSecond: report.deliveries / report.seconds,
    serverBusy: cpuSeconds / report.seconds,
    rssMib: after.rssBytes / MIB,
  };
}
