// The real command line as a child process.
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const bin = fileURLToPath(new URL("../../src/parlor.ts", import.meta.url));

export type Env = Readonly<Record<string, string>>;

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** What has to be put away afterwards, the latest first. */
export class Cleanup {
  readonly #steps: (() => unknown)[] = [];

  after(step: () => unknown): void {
    this.#steps.unshift(step);
  }

  async run(): Promise<void> {
    for (const step of this.#steps) await step();
  }
}

/** A folder of its own, removed when the tests are over. */
export function temporaryFolder(cleanup: Cleanup): string {
  const folder = mkdtempSync(join(tmpdir(), "parlor-cli-"));
  cleanup.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A command that runs: what it has written so far, and when it writes something or ends. */
export class Running {
  readonly process: ChildProcessWithoutNullStreams;
  stdout = "";
  stderr = "";
  readonly ended: Promise<Outcome>;
  #waiting = new Set<() => void>();

  constructor(args: readonly string[], env: Env, input?: string) {
    const { PATH = "", HOME = "" } = process.env;
    const noLogins = join(tmpdir(), "parlor-cli-no-config");
    this.process = spawn(process.execPath, [bin, ...args], { env: { PATH, HOME, XDG_CONFIG_HOME: noLogins, ...env } });
    this.process.stdout.setEncoding("utf8").on("data", (text: string) => this.#heard(() => (this.stdout += text)));
    this.process.stderr.setEncoding("utf8").on("data", (text: string) => this.#heard(() => (this.stderr += text)));
    this.process.stdin.on("error", () => {}).end(input ?? "");
    this.ended = once(this.process, "close").then(([code]) => {
      this.#heard(() => {});
      return { code: code as number | null, stdout: this.stdout, stderr: this.stderr };
    });
  }

  #heard(take: () => void): void {
    take();
    for (const look of this.#waiting) look();
  }

  /** Waits until one of the two outputs matches. @throws Error when the command ends without */
  until(output: "stdout" | "stderr", pattern: RegExp): Promise<RegExpExecArray> {
    const { promise, resolve, reject } = Promise.withResolvers<RegExpExecArray>();
    const look = (): void => {
      const match = pattern.exec(this[output]);
      if (match) resolve(match);
      else if (this.process.exitCode !== null) reject(new Error(`it ended without ${pattern}:\n${this.stdout}\n${this.stderr}`));
    };
    this.#waiting.add(look);
    look();
    return promise.finally(() => this.#waiting.delete(look));
  }
}

/** Runs a command to its end. */
export function parlor(args: readonly string[], env: Env = {}, input?: string): Promise<Outcome> {
  return new Running(args, env, input).ended;
}

export interface Served {
  readonly running: Running;
  readonly url: string;
  /** What other commands need to find this server. */
  readonly env: Env;
}

/** Starts `parlor serve` on a free port, and stops it when the tests are over. */
export async function serve(cleanup: Cleanup, folder: string, env: Env = {}): Promise<Served> {
  const settings = { PORT: "0", HOST: "127.0.0.1", PARLOR_DATA_DIR: join(folder, "data"), PARLOR_BCRYPT_COST: "4", ...env };
  const running = new Running(["serve"], settings);
  cleanup.after(() => {
    running.process.kill("SIGKILL");
    return running.ended;
  });
  const [, port = ""] = await running.until("stdout", /"port":(\d+).*"msg":"Ready"/);
  const url = `http://127.0.0.1:${port}`;
  return { running, url, env: { PARLOR_DATA_DIR: settings.PARLOR_DATA_DIR, PARLOR_URL: url, XDG_CONFIG_HOME: join(folder, "config") } };
}
