import { setTimeout } from "node:timers/promises";
import { Generator } from "../generator/generator.ts";
import { usageOf } from "../measure/processes.ts";
import type { Subject } from "../subjects/subject.ts";
import type { Case, Metrics, Settings } from "./scenario.ts";

const KIB = 1024;
const CONNECTIONS = 10_000;
/** A server that has just started holds garbage of its start, which goes with the first connections. */
const FIRST = 0.2;
/** People with several connections each: on Parlor, a person may have 20. */
const PEOPLE = 500;
/** Garbage of the sign-ins goes meanwhile, as far as the server lets it go (milliseconds). */
const REST = 5000;

/** Connections of members of one room, in which nothing happens. */
export function idleCase(name: string, subjects: readonly Subject[]): Case {
  return { name, subjects, columns: ["kibPerConnection", "rssMib"], round };
}

/** What the server holds more with all connections than with the first ones, shared among those that came between. */
async function round(subject: Subject, settings: Settings): Promise<Metrics> {
  const all = settings.quick ? CONNECTIONS / 10 : CONNECTIONS;
  const first = all * FIRST;
  await using running = await subject.start(settings, PEOPLE);
  settings.started(running.command);
  await using generator = new Generator();
  const bytesWith = async (listeners: number): Promise<number> => {
    await generator.join({ protocol: subject.protocol, door: running.door, listeners });
    await setTimeout(settings.quick ? 0 : REST);
    return usageOf(running.pids).rssBytes;
  };
  const before = await bytesWith(first);
  const after = await bytesWith(all - first);
  return { kibPerConnection: (after - before) / KIB / (all - first), rssMib: after / KIB / KIB };
}
