import type { Place, Subject } from "../subjects/subject.ts";

/** What one round gave; what each figure is, and its unit, stands in report/columns.ts. */
export type Metrics = Readonly<Record<string, number>>;

/** A figure that a round must have given. */
export function figure(metrics: Metrics, name: string): number {
  const value = metrics[name];
  if (value === undefined) throw new Error(`No round gave ${name}.`);
  return value;
}

/** What one server's figure is of another's, in one round. */
export function ratioOf(name: string): (mine: Metrics, theirs: Metrics) => number {
  return (mine, theirs) => figure(mine, name) / figure(theirs, name);
}

export interface Settings extends Place {
  /** Short rounds, to see that all works; its figures are no basis for a claim. */
  readonly quick: boolean;
  /** Told how each server was started. */
  readonly started: (command: string) => void;
}

/** One load under which subjects are compared. */
export interface Case {
  readonly name: string;
  readonly subjects: readonly Subject[];
  /** The figures of the table, in its order. */
  readonly columns: readonly string[];
  /** Starts the subject, measures it once, and stops it. */
  round(subject: Subject, settings: Settings): Promise<Metrics>;
}

/** What a scenario wants of Parlor. */
export interface Target {
  readonly text: string;
  readonly case: string;
  readonly subject: string;
  /** The peer that it is compared with in each round; left out when the target is no comparison. */
  readonly peer?: string;
  /** What the bound is about, from one round; without a peer, `theirs` is the same as `mine`. */
  figure(mine: Metrics, theirs: Metrics): number;
  readonly atLeast?: number;
  readonly atMost?: number;
}

export interface Scenario {
  /** As in the list of scenarios: S1, S2 ... */
  readonly id: string;
  readonly title: string;
  readonly cases: readonly Case[];
  readonly targets: readonly Target[];
}

/** A generator busier than this is itself what is measured. */
export const BUSIEST_GENERATOR = 0.9;
