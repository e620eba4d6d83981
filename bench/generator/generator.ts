import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Orders } from "./orders.ts";

const MAIN = fileURLToPath(new URL("main.ts", import.meta.url));
const CORE = "1";

/** The load generator as the bench sees it. Whatever goes wrong in it ends it, and fails the order under way. */
export class Generator implements Orders, AsyncDisposable {
  readonly #process: ChildProcess;

  constructor() {
    this.#process = spawn("taskset", ["-c", CORE, process.execPath, MAIN], {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
  }

  readonly join: Orders["join"] = (order) => this.#carryOut("join", order);
  readonly bursts: Orders["bursts"] = (order) => this.#carryOut("bursts", order);
  readonly fixedRate: Orders["fixedRate"] = (order) => this.#carryOut("fixedRate", order);

  readonly joinIngest: Orders["joinIngest"] = (order) => this.#carryOut("joinIngest", order);
  readonly ingest: Orders["ingest"] = (order) => this.#carryOut("ingest", order);

  async #carryOut<Report>(name: keyof Orders, order: object): Promise<Report> {
    this.#process.send({ name, order });
    const ended = new AbortController();
    try {
      const exit = once(this.#process, "exit", { signal: ended.signal }).then(() => {
        throw new Error(`The generator failed (${this.#process.exitCode ?? this.#process.signalCode}); what it said stands above.`);
      });
      const answer = once(this.#process, "message", { signal: ended.signal });
      const [{ report }] = (await Promise.race([answer, exit])) as [{ report: Report }];
      return report;
    } finally {
      ended.abort();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode !== null) return;
    this.#process.kill("SIGKILL");
    await once(this.#process, "exit");
  }
}
