import { Generator } from "../generator/generator.ts";
import type { IngestDoor } from "../generator/orders.ts";
import { subject } from "../subjects/parlor.ts";
import { postgres } from "../subjects/parlor-databases.ts";
import { type IngestShape, seedIngest } from "../subjects/parlor-ingest-seed.ts";
import type { Subject } from "../subjects/subject.ts";
import { measured } from "./crowd-round.ts";
import { figure, type Metrics, ratioOf, type Scenario, type Settings } from "./scenario.ts";

const name = "50 rooms of 10 members, 16 publishers";
const shape: IngestShape = { rooms: 50, members: 10, publishers: 16 };
const IN_FLIGHT = 64;
const seeding = { name: "ingest", seed: (port: number) => seedIngest(port, shape) };
const does = "JSON, PostgreSQL; delivers to ten members";

const grouped = subject({ name: "parlor", protocol: "parlorJson", database: postgres, seeding, does });
const single = subject({
  name: "parlor (a commit per message)",
  protocol: "parlorJson",
  database: postgres,
  seeding,
  env: { PARLOR_LOG_BATCH: "1" },
  does,
});

export const s4: Scenario = {
  id: "S4",
  title: "Durable ingest",
  cases: [{ name, subjects: [grouped, single], columns: ["ackedPerSecond", "cpuMicrosPerDelivery", "rssMib", "generatorBusy"], round }],
  targets: [
    {
      text: "acknowledged/s >= 10x one INSERT per message",
      case: name,
      subject: grouped.name,
      peer: single.name,
      figure: ratioOf("ackedPerSecond"),
      atLeast: 10,
    },
    {
      text: "acknowledged/s >= 15,000",
      case: name,
      subject: grouped.name,
      figure: (mine) => figure(mine, "ackedPerSecond"),
      atLeast: 15_000,
    },
  ],
};

async function round(one: Subject, settings: Settings): Promise<Metrics> {
  // On both cores, which the load generator uses too: what one machine does, all in all.
  await using running = await one.start({ ...settings, cores: "0,1" }, shape.rooms * shape.members);
  settings.started(running.command);
  await using generator = new Generator();
  await generator.joinIngest({ door: running.door as IngestDoor });
  const [warmUp, seconds] = settings.quick ? [1, 2] : [3, 10];
  await generator.ingest({ inFlight: IN_FLIGHT, seconds: warmUp });
  return await measured(running, () => generator.ingest({ inFlight: IN_FLIGHT, seconds }));
}
