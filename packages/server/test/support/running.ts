// A real server on a free port, over a fresh database.
import { describe } from "node:test";
import { type Admin, type Environment, type Log, loadConfig, noLog, type RunningServer, startServer } from "../../src/index.ts";
import { type Engine, engines } from "./databases.ts";

/** What every test server is told: any free port, hashes that cost nothing, no limits on rates. */
export const testEnvironment: Environment = {
  PORT: "0",
  HOST: "127.0.0.1",
  PARLOR_BCRYPT_COST: "4",
  PARLOR_RATE_LIMITS: "off",
  PARLOR_DRAIN_TIME: "3s",
};

export const password = "correct horse battery";

export interface Running extends AsyncDisposable {
  readonly server: RunningServer;
  readonly admin: Admin;
  readonly port: number;
  readonly url: string;
  /** What the server logged as its own faults. */
  readonly faults: readonly string[];
}

/** Starts a server; `env` is added to what every test server is told. With PARLOR_TEST_FORM=apart it is one of services apart. */
export async function running({ fresh }: Engine, env: Environment = {}): Promise<Running> {
  if (process.env.PARLOR_TEST_FORM === "apart") return (await import("./services-apart.ts")).servicesApart({ env });
  const { database, close } = await fresh();
  const faults: string[] = [];
  const server = await startServer(loadConfig({ ...testEnvironment, ...env }), { database, log: faultLog(faults) });
  const stop = async (): Promise<void> => {
    await server.close();
    await close();
  };
  return {
    server,
    admin: server.admin as Admin,
    port: server.port,
    url: `http://127.0.0.1:${server.port}`,
    faults,
    [Symbol.asyncDispose]: stop,
  };
}

/** Runs a suite once per database engine that this run tests. */
export function onEveryEngine(title: string, suite: (engine: Engine) => void): void {
  for (const engine of engines) describe(`${title} (${engine.name})`, { skip: engine.missing ?? false }, () => suite(engine));
}

/** Keeps what a server logs as its own faults. */
export function faultLog(faults: string[]): Log {
  const log: Log = {
    ...noLog,
    error: (fields, message) =>
      void faults.push(
        `${message} ${Object.values(fields)
          .map((value) => (value instanceof Error ? value.stack : String(value)))
          .join(" ")}`,
      ),
    child: () => log,
  };
  return log;
}
