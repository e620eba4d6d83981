// A server with a bridge, on a database that other servers use too.
import { MemoryBusHub } from "../../src/engines/bus-memory.ts";
import { openPostgres } from "../../src/engines/database-postgres.ts";
import { loadConfig, noLog, startServer } from "../../src/index.ts";
import type { TestPostgres } from "../support/databases.ts";
import { testEnvironment } from "../support/running.ts";

export interface Bridged {
  readonly port: number;
  readonly url: string;
  /** What nodes that hear of each other share. */
  readonly network: MemoryBusHub;
  /** Resolves when it publishes events. */
  publishing(): Promise<void>;
  close(): Promise<void>;
}

export async function bridgedServer(
  { url }: TestPostgres,
  env: Readonly<Record<string, string>>,
  network = new MemoryBusHub(),
): Promise<Bridged> {
  const published = Promise.withResolvers<void>();
  const log = {
    ...noLog,
    info: (_fields: object, message: string) => {
      if (message === "The bridge leads.") published.resolve();
    },
  };
  const server = await startServer(loadConfig({ ...testEnvironment, ...env }), {
    database: await openPostgres({ url }),
    bus: network.join(),
    log: { ...log, child: () => noLog },
  });
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closing ??= server.close();
    return closing;
  };
  return { port: server.port, url: `http://127.0.0.1:${server.port}`, network, publishing: () => published.promise, close };
}
