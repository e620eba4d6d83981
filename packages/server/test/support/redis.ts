// Redis servers of a test's own, which it may kill, stop and start again. None of them outlives the test process.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { freePort } from "./child-server.ts";

/** Why no Redis server can be started here; undefined when one can. In CI the tests themselves then fail. */
export const redisMissing = whyNoRedis();

function whyNoRedis(): string | undefined {
  if (process.env["CI"] === "true") return undefined;
  const { stdout } = spawnSync("redis-server", ["--version"], { encoding: "utf8" });
  const version = /v=(\d+)/.exec(stdout ?? "")?.[1];
  if (version === undefined) return "redis-server is not installed";
  return Number(version) < 7 ? `redis-server is version ${version}; 7 is needed` : undefined;
}

const running = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

export interface RedisServerOptions {
  readonly port?: number;
  /** Lines of its configuration file. */
  readonly config?: readonly string[];
  /** Run as a sentinel, which has all it does in its configuration file. */
  readonly sentinel?: boolean;
}

export class RedisServer implements AsyncDisposable {
  readonly port: number;
  readonly #folder: string;
  readonly #options: RedisServerOptions;
  #process: ChildProcess | undefined;

  private constructor(port: number, options: RedisServerOptions) {
    this.port = port;
    this.#options = options;
    this.#folder = mkdtempSync(join(tmpdir(), "parlor-redis-"));
    const lines = [`port ${port}`, "bind 127.0.0.1", `dir ${this.#folder}`, 'save ""', ...(options.config ?? [])];
    writeFileSync(join(this.#folder, "redis.conf"), `${lines.join("\n")}\n`);
  }

  /** Resolves when it accepts connections. */
  static async start(options: RedisServerOptions = {}): Promise<RedisServer> {
    const server = new RedisServer(options.port ?? (await freePort()), options);
    await server.restart();
    return server;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** Starts it where it was, after it was killed. */
  async restart(): Promise<void> {
    const args = [join(this.#folder, "redis.conf"), ...(this.#options.sentinel ? ["--sentinel"] : [])];
    const child = spawn("redis-server", args, { stdio: ["ignore", "pipe", "inherit"] });
    this.#process = child;
    running.add(child);
    await accepting(child);
  }

  /** Ends it as a crash would. */
  async kill(): Promise<void> {
    const child = this.#process;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.kill("SIGKILL");
    await exited;
    running.delete(child);
  }

  /** Freezes it: connections stay, and nothing is answered. */
  pause(): void {
    this.#process?.kill("SIGSTOP");
  }

  resume(): void {
    this.#process?.kill("SIGCONT");
  }

  /** What redis-cli answers to a command. @throws Error with what it said when it failed */
  cli(...args: string[]): string {
    const { status, stdout, stderr } = spawnSync("redis-cli", ["-p", String(this.port), ...args], { encoding: "utf8" });
    if (status !== 0) throw new Error(`redis-cli ${args.join(" ")}: ${stdout}${stderr}`);
    return stdout.trim();
  }

  /** Waits until it answers a command as wanted. */
  async answers(wanted: (answer: string) => boolean, ...args: string[]): Promise<void> {
    while (!wanted(this.cli(...args))) await delay(5);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

function accepting(child: ChildProcess): Promise<void> {
  const said: string[] = [];
  return new Promise((resolve, reject) => {
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      said.push(text);
      if (/Ready to accept connections|Sentinel ID is/.test(text)) resolve();
    });
    child.once("error", reject);
    child.once("exit", () => reject(new Error(`redis-server ended before it was ready:\n${said.join("")}`)));
  });
}
