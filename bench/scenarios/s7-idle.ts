import { setTimeout } from "node:timers/promises";
import { Generator } from "../generator/generator.ts";
import { usageOf } from "../measure/processes.ts";
import { parlor, parlorProto } from "../subjects/parlor.ts";
import { socketIo } from "../subjects/peers.ts";
import type { Subject } from "../subjects/subject.ts";
import { type Metrics, ratioOf, type Scenario, type Settings } from "./scenario.ts";

const name = "10,000 idle WebSocket connections";
const KIB = 1024;
const CONNECTIONS = 10_000;
/** A server that has just started holds garbage of its start, which goes with the first connections. */
const FIRST = 0.2;
/** People with several connections each: on Parlor, a person may have 20. */
const PEOPLE = 500;
/** Garbage of the sign-ins goes meanwhile, as far as the server lets it go (milliseconds). */
const REST = 5000;

export const s7: Scenario = {
  id: "S7",
  title: "Idle connections",
  cases: [{ name, subjects: [parlor, socketIo, parlorProto], columns: ["kibPerConnection", "rssMib"], round }],
  targets: [
    {
      text: "RSS per connection <= 0.5x Socket.IO",
      case: name,
      subject: parlor.name,
      peer: socketIo.name,
      figure: ratioOf("kibPerConnection"),
      atMost: 0.5,
    },
  ],
};

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
