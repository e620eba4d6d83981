import type { Machine } from "../measure/machine.ts";
import type { Metrics } from "../scenarios/scenario.ts";

/** Why a round's figures count, or do not. */
export type RoundState = "valid" | "generator too busy" | "failed";

/** One round of one subject. */
export interface Round {
  readonly state: RoundState;
  readonly metrics: Metrics;
  /** Why it failed. */
  readonly error?: string;
}

export interface SubjectRecord {
  readonly name: string;
  readonly does: string;
  readonly version: string;
  /** How it was started the last time. */
  readonly command?: string;
  /** Why it was not measured. */
  readonly missing?: string;
  /** One for each time around, the same number for all subjects. */
  readonly rounds: readonly Round[];
}

export interface CaseRecord {
  readonly name: string;
  readonly columns: readonly string[];
  readonly subjects: readonly SubjectRecord[];
}

export interface TargetRecord {
  readonly text: string;
  /** Of the rounds that were valid on both sides; left out when there were none. */
  readonly median?: number;
  readonly min?: number;
  readonly max?: number;
  readonly verdict: Verdict;
}

/** "no claim": the rounds do not agree on which side of the bound, or of the peer, Parlor is. */
export type Verdict = "met" | "missed" | "no claim" | "not measured";

/** A run of one scenario, as it is kept in bench/results. */
export interface ScenarioRecord {
  readonly scenario: string;
  readonly title: string;
  /** ISO 8601, to the second. */
  readonly at: string;
  readonly quick: boolean;
  readonly machine: Machine;
  readonly cases: readonly CaseRecord[];
  readonly targets: readonly TargetRecord[];
}
