import { type ChildProcess, spawn } from "node:child_process";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const LIMIT = 60_000;

/** Parlor as `npm start` starts it, from the moment of its construction. */
export class NpmStart implements AsyncDisposable {
  readonly #spawned = performance.now();
  readonly #process: ChildProcess;
  readonly #url: string;

  constructor(port: number, dataFolder: string) {
    this.#url = `http://127.0.0.1:${port}/readyz`;
    const env = { PATH: process.env["PATH"], HOME: process.env["HOME"], PORT: String(port), PARLOR_DATA_DIR: dataFolder };
    // A process group of its own, so that npm and what it starts end together.
    this.#process = spawn("npm", ["start"], { cwd: ROOT, env, stdio: "ignore", detached: true });
  }

  /** Waits for the first request that is answered well; returns the seconds since the start. */
  async ready(): Promise<number> {
    while (!(await this.#answers())) {
      if (performance.now() - this.#spawned > LIMIT || this.#process.exitCode !== null) throw new Error("npm start failed.");
      await setTimeout(5);
    }
    return (performance.now() - this.#spawned) / 1000;
  }

  async #answers(): Promise<boolean> {
    try {
      return (await fetch(this.#url)).ok;
    } catch {
      return false;
    }
  }

  /** Ends npm and the server, and waits for both: the next server needs the data folder. */
  async [Symbol.asyncDispose](): Promise<void> {
    const group = -(this.#process.pid as number);
    for (let alive = signal(group, "SIGTERM"); alive; alive = signal(group, 0)) await setTimeout(20);
  }
}

/** Sends a signal, 0 for none, to a group of processes; false when it has ended. */
function signal(group: number, name: "SIGTERM" | 0): boolean {
  try {
    return process.kill(group, name);
  } catch {
    return false;
  }
}
