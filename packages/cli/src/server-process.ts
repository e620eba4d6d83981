// The server as a process: signals, unexpected errors, the control socket, and what it says of itself.

import { flushCompileCache } from "node:module";
import { type Config, type ControlSocket, createLog, type Log, listenControl, type RunningServer, startServer } from "@parlor/server";
import type { beginOpening } from "@parlor/server/database";
import { banner } from "./banner.ts";

/** The database, while it is being opened; undefined where the server has none. */
type Opening = ReturnType<typeof beginOpening>;

type Signal = "SIGTERM" | "SIGINT";
const signalNumbers: Readonly<Record<Signal, number>> = { SIGINT: 2, SIGTERM: 15 };

/** An error that nobody caught leaves the process in a state that nobody knows: what was acknowledged is stored, so it ends. */
function endOnUnexpected(log: Log): void {
  const end = (kind: string) => (error: unknown) => {
    log.error({ err: error }, `The server ends because of an ${kind}`);
    process.exit(1);
  };
  process.on("uncaughtException", end("unexpected error"));
  process.on("unhandledRejection", end("unhandled rejection"));
}

/** Resolves with the first signal; the second one ends the process at once. */
function firstSignal(log: Log): Promise<Signal> {
  const { promise, resolve } = Promise.withResolvers<Signal>();
  let signals = 0;
  const take = (signal: Signal): void => {
    signals++;
    resolve(signal);
    if (signals === 1) return;
    log.warn({ signal }, "Ended at once by a second signal");
    process.exit(128 + signalNumbers[signal]);
  };
  process.on("SIGTERM", take).on("SIGINT", take);
  return promise;
}

/** Without it the server is whole, only the commands of the operator cannot reach it. */
async function openControl(config: Config, server: RunningServer, log: Log): Promise<ControlSocket | undefined> {
  if (!server.admin) return undefined;
  try {
    return await listenControl(config.server.dataDir, server.admin, log);
  } catch (error) {
    log.warn({ err: error }, "There is no control socket: `parlor user`, `parlor token` and `parlor key` cannot reach this server");
    return undefined;
  }
}

async function announce(config: Config, server: RunningServer, log: Log): Promise<void> {
  log.info({ url: server.url, port: server.port, pid: process.pid }, "Ready");
  if (config.log.format === "json") return;
  const hasAdmin = !server.admin || (await server.admin.listUsers({ role: "ADMIN" })).users.length > 0;
  process.stderr.write(banner(config, server.url, hasAdmin));
}

async function run(config: Config, log: Log, database: Opening): Promise<void> {
  const signal = firstSignal(log);
  const starting = startServer(config, { log, ...(database && { database }) });
  // A signal while it starts: nothing has been acknowledged yet, and nobody is connected.
  const early = await Promise.race([starting.then(() => undefined), signal]);
  if (early !== undefined) process.exit(0);
  const server = await starting;
  const control = await openControl(config, server, log);
  await announce(config, server, log);
  // Without TLS files there is nothing to reload, and SIGHUP ends the process as it does by default.
  if (config.tls.certFile !== undefined || config.services.caFile !== undefined) process.on("SIGHUP", server.reloadTls);
  // Otherwise it would be written at the end, which a server that is killed does not see.
  flushCompileCache();
  const end = await Promise.race([signal, server.lost]);
  // Nothing can be stored or finished any more; clients come back to the process that is started in its place.
  if (end instanceof Error) throw end;
  log.info({ signal: end, drainMs: config.server.drainMs }, "Shutting down");
  await control?.close();
  await server.close();
  log.info({}, "Stopped");
}

/** Runs a server until it is told to stop, and ends the process. */
export async function runServer(config: Config, database: Opening): Promise<never> {
  const log = await createLog(config.log);
  endOnUnexpected(log);
  try {
    await run(config, log, database);
  } catch (error) {
    log.error({ err: error }, "The server cannot run");
    // It may have opened though the server did not come so far as to close it: its folder would stay locked.
    await database?.then((opened) => opened.close()).catch(() => {});
    throw error;
  }
  process.exit(0);
}
