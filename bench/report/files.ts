import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ScenarioRecord } from "./record.ts";
import { report } from "./table.ts";

const RESULTS = fileURLToPath(new URL("../results", import.meta.url));
const README = fileURLToPath(new URL("../README.md", import.meta.url));
const BEGIN = "<!-- results: written by npm run bench -->";
const END = "<!-- end of results -->";

/** Keeps a record under its scenario and time, and returns the file's name. */
export function keep(record: ScenarioRecord): string {
  const stamp = record.at.replaceAll(/[-:]/g, "");
  const name = `${record.scenario}-${stamp}${record.quick ? "-quick" : ""}.json`;
  mkdirSync(RESULTS, { recursive: true });
  writeFileSync(join(RESULTS, name), `${JSON.stringify(record, undefined, 2)}\n`);
  return `bench/results/${name}`;
}

/** Writes the newest record of each scenario into the README. */
export function updateReadme(): void {
  const text = readFileSync(README, "utf8");
  const [before, after] = [text.indexOf(BEGIN) + BEGIN.length, text.indexOf(END)];
  if (before < BEGIN.length || after < before) throw new Error("bench/README.md has lost its place for results.");
  writeFileSync(README, `${text.slice(0, before)}\n\n${report(newest())}\n${text.slice(after)}`);
}

/** A full run counts before any quick one. */
function newest(): ScenarioRecord[] {
  const records = new Map<string, ScenarioRecord>();
  const files = readdirSync(RESULTS).filter((name) => name.endsWith(".json"));
  for (const name of files.sort()) {
    const record = JSON.parse(readFileSync(join(RESULTS, name), "utf8")) as ScenarioRecord;
    const known = records.get(record.scenario);
    if (!known || known.quick || !record.quick) records.set(record.scenario, record);
  }
  return [...records.values()].sort((a, b) => number(a) - number(b));
}

function number({ scenario }: ScenarioRecord): number {
  return Number(scenario.slice(1));
}
