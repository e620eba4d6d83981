import { machine } from "./measure/machine.ts";
import type { CaseRecord, ScenarioRecord } from "./report/record.ts";
import { judge } from "./report/verdict.ts";
import type { Case, Scenario } from "./scenarios/scenario.ts";
import { SubjectRun } from "./subject-run.ts";

export interface Options {
  readonly quick: boolean;
  /** A folder for this run's files. */
  readonly scratch: string;
  /** How often each subject is measured. */
  readonly rounds: number;
  /** Names of the subjects to measure; all when left out. */
  readonly only?: readonly string[];
  /** Told about each step, for people who wait. */
  readonly say: (line: string) => void;
}

/** Measures all subjects of a scenario, and judges the targets. */
export async function runScenario(scenario: Scenario, options: Options): Promise<ScenarioRecord> {
  const cases: CaseRecord[] = [];
  for (const one of scenario.cases) {
    options.say(`${scenario.id} ${one.name}`);
    cases.push(await runCase(one, options));
  }
  return {
    scenario: scenario.id,
    title: scenario.title,
    at: `${new Date().toISOString().slice(0, 19)}Z`,
    quick: options.quick,
    machine: machine(),
    cases,
    targets: scenario.targets.map((target) => judge(target, cases)),
  };
}

/** Each time around is the last one backwards (A B B A), so that no subject gains from its place or from a drift. */
async function runCase(one: Case, options: Options): Promise<CaseRecord> {
  const chosen = one.subjects.filter(({ name }) => options.only?.includes(name) ?? true);
  const runs = chosen.map((subject) => new SubjectRun(one, subject, options));
  const present = runs.filter((run) => run.isPresent());
  for (let time = 0; time < options.rounds; time++) {
    for (const run of time % 2 === 0 ? present : present.toReversed()) await run.round();
  }
  return { name: one.name, columns: one.columns, subjects: runs.map((run) => run.record()) };
}
