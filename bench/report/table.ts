import { spread } from "../measure/statistics.ts";
import { columns } from "./columns.ts";
import type { CaseRecord, ScenarioRecord, SubjectRecord, TargetRecord } from "./record.ts";

/** The newest record of each scenario, as Markdown. */
export function report(records: readonly ScenarioRecord[]): string {
  return records.map(scenarioSection).join("\n");
}

function scenarioSection(record: ScenarioRecord): string {
  const quick = record.quick ? " - a quick run, no basis for a claim" : "";
  const { cpu, cores, node } = record.machine;
  return [
    `### ${record.scenario}: ${record.title}`,
    "",
    `${record.at}${quick}. ${cores} cores (${cpu}), Node ${node}.`,
    ...record.cases.flatMap(caseLines),
    ...targetLines(record.targets),
    "",
  ].join("\n");
}

function caseLines(record: CaseRecord): string[] {
  const head = ["server", ...record.columns.map((name) => columns[name]?.title ?? name), "valid rounds"];
  const rows = record.subjects.map((subject) => subjectRow(subject, record.columns));
  return ["", `**${record.name}**`, "", ...table([head, ...rows])];
}

function subjectRow(subject: SubjectRecord, names: readonly string[]): string[] {
  const valid = subject.rounds.filter(({ state }) => state === "valid");
  const shown = valid.length > 0 ? valid : subject.rounds.filter(({ state }) => state !== "failed");
  const cells = names.map((name) =>
    figureCell(
      name,
      shown.map(({ metrics }) => metrics[name] ?? Number.NaN),
    ),
  );
  return [subjectName(subject), ...cells, subject.missing ?? `${valid.length} of ${subject.rounds.length}`];
}

function subjectName({ name, version }: SubjectRecord): string {
  return `${name} (${version})`;
}

/** Median, and least to most in brackets. */
function figureCell(name: string, values: readonly number[]): string {
  if (values.length === 0) return "";
  const { median, min, max } = spread(values);
  const show = columns[name]?.show ?? String;
  return values.length === 1 ? show(median) : `${show(median)} (${show(min)} - ${show(max)})`;
}

function targetLines(targets: readonly TargetRecord[]): string[] {
  const rows = targets.map(({ text, median, min, max, verdict }) => [text, number(median), `${number(min)} - ${number(max)}`, verdict]);
  return ["", ...table([["target", "measured, median of rounds", "least - most", "verdict"], ...rows])];
}

function number(value: number | undefined): string {
  return value === undefined ? "" : String(Number(value.toPrecision(3)));
}

function table([head = [], ...rows]: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)];
}
