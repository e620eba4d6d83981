import type { Round, SubjectRecord } from "./report/record.ts";
import type { Options } from "./run-scenario.ts";
import { BUSIEST_GENERATOR, type Case, type Metrics } from "./scenarios/scenario.ts";
import type { Subject } from "./subjects/subject.ts";

/** The rounds of one subject under one load. */
export class SubjectRun {
  readonly #case: Case;
  readonly #subject: Subject;
  readonly #options: Options;
  readonly #rounds: Round[] = [];
  #command = "";

  constructor(one: Case, subject: Subject, options: Options) {
    this.#case = one;
    this.#subject = subject;
    this.#options = options;
  }

  /** Whether the subject can be measured on this machine; says so when it cannot. */
  isPresent(): boolean {
    const missing = this.#subject.missing();
    if (missing !== undefined) this.#say(`left out, ${missing}`);
    return missing === undefined;
  }

  /** Measures once. A round that fails is kept as such, and ends nothing else. */
  async round(): Promise<void> {
    const round = await this.#measure();
    this.#rounds.push(round);
    this.#say(round.error === undefined ? this.#summary(round) : `failed: ${round.error}`);
  }

  record(): SubjectRecord {
    const { name, does } = this.#subject;
    const missing = this.#subject.missing();
    if (missing !== undefined) return { name, does, version: "", missing, rounds: [] };
    return { name, does, version: this.#subject.version(), command: this.#command, rounds: this.#rounds };
  }

  async #measure(): Promise<Round> {
    const { quick, scratch } = this.#options;
    const started = (command: string): void => {
      this.#command = command;
    };
    try {
      const metrics = await this.#case.round(this.#subject, { quick, scratch, started });
      return { state: stateOf(metrics), metrics };
    } catch (error) {
      return { state: "failed", metrics: {}, error: (error as Error).message };
    }
  }

  #summary({ state, metrics }: Round): string {
    const figures = this.#case.columns.map((name) => `${name} ${metrics[name]?.toPrecision(3)}`).join(", ");
    return state === "valid" ? figures : `${figures} (${state})`;
  }

  #say(line: string): void {
    this.#options.say(`  ${this.#subject.name}: ${line}`);
  }
}

function stateOf(metrics: Metrics): Round["state"] {
  return (metrics["generatorBusy"] ?? 0) < BUSIEST_GENERATOR ? "valid" : "generator too busy";
}
