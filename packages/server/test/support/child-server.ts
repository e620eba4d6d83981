// The server as a process of its own, to be killed.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Environment } from "../../src/index.ts";

const parlor = fileURLToPath(new URL("../../../cli/src/parlor.ts", import.meta.url));

export class ChildServer {
  readonly #process: ChildProcess;
  readonly #exited: Promise<unknown>;
  readonly #said: string[] = [];

  private constructor(child: ChildProcess) {
    this.#process = child;
    this.#exited = once(child, "exit");
  }

  /** Resolves when it is ready. @throws Error with what it said, when it ends before */
  static async start(env: Environment): Promise<ChildServer> {
    const stdio: ["ignore", "pipe", "pipe"] = ["ignore", "pipe", "pipe"];
    const child = spawn(process.execPath, [parlor, "serve"], {
      env: { PATH: process.env["PATH"], PARLOR_LOG_FORMAT: "json", ...env },
      stdio,
    });
    const server = new ChildServer(child);
    await server.#ready();
    return server;
  }

  /** Ends it as a crash would, in the midst of whatever it does. */
  async kill(): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#exited;
  }

  /** Tells it to end, and waits until it has. @throws Error with what it said, when it ends as if it had failed */
  async terminate(): Promise<void> {
    this.#process.kill("SIGTERM");
    await this.#exited;
    if (this.#process.exitCode !== 0) throw new Error(`The server ended with ${this.#process.exitCode}:\n${this.#said.join("\n")}`);
  }

  /** Whether it lives. */
  get running(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /** The lines of its log. */
  get log(): readonly string[] {
    return this.#said;
  }

  /** The lines of its log at the level of errors. */
  get faults(): readonly string[] {
    return this.#said.filter((line) => /"level":("error"|"fatal"|50|60)/.test(line));
  }

  #ready(): Promise<void> {
    return new Promise((resolve, reject) => {
      for (const stream of [this.#process.stdout, this.#process.stderr]) {
        createInterface({ input: stream as NodeJS.ReadableStream }).on("line", (line) => {
          this.#said.push(line);
          if (line.includes('"Ready"')) resolve();
        });
      }
      void this.#exited.then(() => reject(new Error(`The server ended before it was ready:\n${this.#said.join("\n")}`)));
    });
  }
}

// Below those that Linux gives to outgoing connections, one of which could have taken a port between now and its use; and each process
// of tests has its own.
const portsOfOne = 40;
const firstPort = 10_000 + (process.pid % 550) * portsOfOne;
let portsTaken = 0;

/** A port that is free, and that nobody here is given before forty others. */
export async function freePort(): Promise<number> {
  for (let tried = 0; tried < portsOfOne; tried++) {
    const port = firstPort + (portsTaken++ % portsOfOne);
    if (await isFree(port)) return port;
  }
  throw new Error(`The ports from ${firstPort} to ${firstPort + portsOfOne - 1} are all taken.`);
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, "127.0.0.1");
  try {
    await once(server, "listening");
  } catch {
    return false;
  }
  server.close();
  await once(server, "close");
  return true;
}
