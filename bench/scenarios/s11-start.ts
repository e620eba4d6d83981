import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { NpmStart } from "../subjects/npm-start.ts";
import { dataFolder, parlor } from "../subjects/parlor.ts";
import { freePort } from "../subjects/ports.ts";
import type { Subject } from "../subjects/subject.ts";
import { figure, type Metrics, type Scenario, type Settings, type Target } from "./scenario.ts";

const name = "npm start";
/** How many accounts and members of a room the existing data folder has. */
const MEMBERS = 501;

/** Nothing is pinned here: this is how somebody starts it. */
export const s11: Scenario = {
  id: "S11",
  title: "Start",
  cases: [{ name, subjects: [parlor], columns: ["firstStartSeconds", "laterStartSeconds"], round }],
  targets: [within("first start", "firstStartSeconds", 6), within("start on an existing data folder", "laterStartSeconds", 1.5)],
};

function within(what: string, column: string, seconds: number): Target {
  return {
    text: `${what} <= ${seconds} s`,
    case: name,
    subject: parlor.name,
    figure: (mine) => figure(mine, column),
    atMost: seconds,
  };
}

async function round(_subject: Subject, { scratch }: Settings): Promise<Metrics> {
  return {
    firstStartSeconds: await secondsToStart(join(await mkdtemp(join(scratch, "first-start-")), "data")),
    laterStartSeconds: await secondsToStart(await dataFolder({ scratch }, MEMBERS)),
  };
}

async function secondsToStart(folder: string): Promise<number> {
  await using server = new NpmStart(await freePort(), folder);
  return await server.ready();
}
