import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Env, type Outcome, Program } from "./processes.ts";
import { root } from "./root.ts";

/** Somebody's terminal in the folder of the repository: what one command exports, the next ones see. */
export class Terminal {
  readonly #variables: string;
  #env: Env;

  /** The folder is for its own files. */
  constructor(folder: string, env: Env) {
    this.#variables = join(folder, "variables");
    this.#env = env;
  }

  /** What the shell has exported. */
  get env(): Env {
    return this.#env;
  }

  /** Starts commands; their exports are not taken over. */
  start(script: string): Program {
    return new Program("bash", ["-euo", "pipefail", "-c", script], { cwd: root, env: this.#env });
  }

  /** Runs commands to their end. */
  async run(script: string): Promise<Outcome> {
    const outcome = await this.start(`${script}\nenv -0 > '${this.#variables}'`).ended;
    if (outcome.code === 0) this.#env = this.#exported();
    return outcome;
  }

  #exported(): Env {
    const pairs = readFileSync(this.#variables, "utf8").split("\0").filter(Boolean);
    return Object.fromEntries(pairs.map((pair) => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)]));
  }
}
