import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const CORE = "0";
const START_LIMIT = 60_000;
const STOP_LIMIT = 15_000;

export interface Command {
  readonly argv: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** The cores it may use, as taskset takes them; the servers' core when left out. */
  readonly cores?: string;
  /** The user to run it as, when this process may choose. */
  readonly uid?: number;
}

/** A server process, on the servers' core unless told otherwise. What it writes to standard error is kept until it has started. */
export class ServerProcess implements AsyncDisposable {
  readonly #process: ChildProcess;
  #said = "";

  constructor(command: Command) {
    this.#process = spawn("taskset", ["-c", command.cores ?? CORE, ...command.argv], {
      cwd: ROOT,
      env: { PATH: process.env["PATH"], ...command.env },
      stdio: ["ignore", "ignore", "pipe"],
      ...(command.uid === undefined ? {} : { uid: command.uid, gid: command.uid }),
    });
    this.#process.stderr?.on("data", (text) => {
      this.#said = `${this.#said}${text}`.slice(-4000);
    });
  }

  get pid(): number {
    return this.#process.pid as number;
  }

  /** Resolves when `ready` does so with true; looks again and again until then. */
  async started(ready: () => Promise<boolean>): Promise<void> {
    const deadline = performance.now() + START_LIMIT;
    while (!(await ready())) {
      const ended = this.#process.exitCode !== null || this.#process.signalCode !== null;
      if (ended || performance.now() > deadline) throw new Error(`The server did not start. ${withoutPlaces(this.#said)}`);
      await setTimeout(5);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const exit = once(this.#process, "exit");
    this.#process.kill("SIGTERM");
    const limit = AbortSignal.timeout(STOP_LIMIT);
    limit.addEventListener("abort", () => this.#process.kill("SIGKILL"));
    await exit;
  }
}

/** A command as anyone could type it: settings first, no path or port of this machine. */
export function shown({ argv, env = {} }: Command): string {
  const settings = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  return [...settings, ...argv].map(withoutPlace).join(" ");
}

function withoutPlace(word: string): string {
  return word === process.execPath ? "node" : withoutPlaces(word);
}

/** A text without the folders of this machine. */
function withoutPlaces(text: string): string {
  return text.replaceAll(ROOT, "").replaceAll(tmpdir(), "$TMPDIR");
}
