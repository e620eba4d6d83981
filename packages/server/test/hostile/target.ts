import assert from "node:assert/strict";
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import type { Environment } from "../../src/index.ts";
import { testEnvironment } from "../support/running.ts";

const script = fileURLToPath(new URL("./server-process.ts", import.meta.url));

/** Bytes: all that is resident, and what the server's own objects and buffers take of it. */
export interface Memory {
  readonly rss: number;
  readonly heap: number;
}

/** A whole server under attack. */
export interface Target extends AsyncDisposable {
  readonly port: number;
  readonly url: string;
  /** Everything that it wrote, logs and whatever else. */
  readonly written: () => string;
  /** What it takes of memory, after garbage was collected. */
  memory(): Promise<Memory>;
  /** Fails unless the process that was started is alive and ready, and has logged no fault. */
  assertWell(): Promise<void>;
}

/** Starts a server as a process of its own; `env` is added to what every test server is told. */
export async function target(env: Environment = {}): Promise<Target> {
  const child = fork(script, [], {
    env: {
      ...outerEnvironment(),
      ...testEnvironment,
      PARLOR_DATA_DIR: tmpdir(),
      PARLOR_LOG_LEVEL: "trace",
      PARLOR_LOG_FORMAT: "json",
      ...env,
    },
    // The young generation is as large as in a server that `npm start` starts: what it grows to is no leak.
    execArgv: ["--expose-gc", "--max-semi-space-size=16"],
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  const output: string[] = [];
  for (const stream of [child.stdout, child.stderr]) stream?.setEncoding("utf8").on("data", (text: string) => output.push(text));
  const written = (): string => output.join("");
  const { port } = (await answer(child, written)) as { port: number };
  const url = `http://127.0.0.1:${port}`;
  const ask = (question: string): Promise<unknown> => {
    child.send(question);
    return answer(child, written);
  };
  return {
    port,
    url,
    written,
    memory: async () => (await ask("memory")) as Memory,
    async assertWell() {
      assert.equal(child.exitCode ?? child.signalCode, null, `the server ended:\n${written()}`);
      assert.equal((await fetch(`${url}/readyz`)).status, 200);
      assert.doesNotMatch(written(), /"level":"(error|fatal)"|unhandled|Warning:/i);
    },
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, "exit");
      child.send("close");
      await gone;
    },
  };
}

/** The environment without what is said to Parlor, or to these tests. */
function outerEnvironment(): Environment {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("PARLOR_")));
}

/** The next message of the child. @throws Error with what it wrote when it ends instead */
function answer(child: ChildProcess, written: () => string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const onExit = (): void => reject(new Error(`the server ended:\n${written()}`));
    child.once("exit", onExit);
    child.once("message", (message) => {
      child.off("exit", onExit);
      resolve(message);
    });
  });
}
