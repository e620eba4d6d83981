import { spread } from "../measure/statistics.ts";
import type { Target } from "../scenarios/scenario.ts";
import type { CaseRecord, Round, TargetRecord, Verdict } from "./record.ts";

/** Compares a target with what the rounds gave. */
export function judge(target: Target, cases: readonly CaseRecord[]): TargetRecord {
  const { text } = target;
  const figures = figuresOf(target, cases);
  if (figures.length === 0) return { text, verdict: "not measured" };
  const { median, min, max } = spread(figures);
  return { text, median, min, max, verdict: verdict(target, median, min, max) };
}

/** One figure for each round that is valid for Parlor, and for the peer if there is one. */
function figuresOf(target: Target, cases: readonly CaseRecord[]): number[] {
  const mine = roundsOf(cases, target.case, target.subject);
  const theirs = target.peer === undefined ? mine : roundsOf(cases, target.case, target.peer);
  return mine.flatMap((round, index) => {
    const other = theirs[index];
    return isValid(round) && isValid(other) ? [target.figure(round.metrics, other.metrics)] : [];
  });
}

function roundsOf(cases: readonly CaseRecord[], name: string, subject: string): readonly Round[] {
  const record = cases.find((one) => one.name === name)?.subjects.find((one) => one.name === subject);
  return record?.rounds ?? [];
}

function isValid(round: Round | undefined): round is Round {
  return round?.state === "valid";
}

function verdict(target: Target, median: number, min: number, max: number): Verdict {
  const comparison = target.peer !== undefined;
  if (comparison && min < 1 && max > 1) return "no claim";
  const met = median >= (target.atLeast ?? Number.NEGATIVE_INFINITY) && median <= (target.atMost ?? Number.POSITIVE_INFINITY);
  return met ? "met" : "missed";
}
