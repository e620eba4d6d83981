// Programs as child processes, and what they write.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { after } from "node:test";

export type Env = Readonly<Record<string, string>>;

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ProgramOptions {
  readonly env?: Env;
  readonly cwd?: string;
  readonly input?: string;
  /** Whose rights it has; only root can give those of others. */
  readonly uid?: number;
  readonly gid?: number;
}

const programs = new Set<Program>();

// Also when a test ran out of time and put nothing away.
after(async () => {
  for (const program of programs) await program.stop("SIGKILL");
});

/** A program that runs. It and what it started end with `stop`, at the latest. */
export class Program implements AsyncDisposable {
  stdout = "";
  stderr = "";
  /** Resolves when the program has ended and all that it wrote has been read. */
  readonly ended: Promise<Outcome>;
  readonly #process: ChildProcess;
  readonly #looks = new Set<() => void>();
  #over = false;

  constructor(command: string, args: readonly string[], { env = {}, input = "", ...rest }: ProgramOptions = {}) {
    const { PATH = "", HOME = "" } = process.env;
    programs.add(this);
    // A process group of its own, so that it can be stopped together with what it started.
    this.#process = spawn(command, args, { ...rest, env: { PATH, HOME, ...env }, detached: true });
    this.#process.stdout?.setEncoding("utf8").on("data", (text: string) => this.#heard(() => (this.stdout += text)));
    this.#process.stderr?.setEncoding("utf8").on("data", (text: string) => this.#heard(() => (this.stderr += text)));
    this.#process.stdin?.on("error", () => {}).end(input);
    this.ended = once(this.#process, "close").then(([code]) => {
      this.#heard(() => (this.#over = true));
      programs.delete(this);
      return { code: code as number | null, stdout: this.stdout, stderr: this.stderr };
    });
    this.ended.catch(() => this.#heard(() => (this.#over = true)));
  }

  /** Waits until what it wrote on standard output matches. @throws Error when it ends without */
  until(pattern: RegExp): Promise<RegExpExecArray> {
    const { promise, resolve, reject } = Promise.withResolvers<RegExpExecArray>();
    const look = (): void => {
      const match = pattern.exec(this.stdout);
      if (match) resolve(match);
      else if (this.#over) reject(new Error(`it ended without ${pattern}:\n${this.stdout}\n${this.stderr}`));
    };
    this.#looks.add(look);
    look();
    return promise.finally(() => this.#looks.delete(look));
  }

  async stop(signal: NodeJS.Signals): Promise<Outcome> {
    if (!this.#over && this.#process.pid !== undefined) process.kill(-this.#process.pid, signal);
    return this.ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop("SIGKILL");
  }

  #heard(take: () => void): void {
    take();
    for (const look of this.#looks) look();
  }
}

/** Runs a program to its end. */
export function run(command: string, args: readonly string[], options: ProgramOptions = {}): Promise<Outcome> {
  return new Program(command, args, options).ended;
}
