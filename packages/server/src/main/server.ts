// The composition root: config -> engines -> services -> transports, wired by hand.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Dispatcher } from "../services/dispatcher.ts";
import { type Listener, listen } from "../transports/listen.ts";
import { type Accounts, openAccounts } from "./accounts.ts";
import type { Admin } from "./admin.ts";
import { adminOf } from "./admin-of.ts";
import type { Config } from "./config.ts";
import { type Node, openNode, type StartOptions } from "./node.ts";
import { operationsOf } from "./operations.ts";
import { openRooms, type Rooms } from "./rooms.ts";
import { securityLog } from "./security-log.ts";
import { dispatching, servicesOf } from "./services.ts";
import { openTlsFiles, type TlsFiles } from "./tls-files.ts";

export type { StartOptions } from "./node.ts";

/** On a shutdown, clients come back within this time, each at its own moment (milliseconds). */
const comeBackMs = 5000;

export interface RunningServer {
  readonly port: number;
  readonly grpcPort: number | undefined;
  /** Where a browser on this machine finds it, without a slash at its end. */
  readonly url: string;
  readonly admin: Admin;
  /** Reads the TLS files now; they are read by themselves some seconds after they changed. */
  reloadTls(): void;
  /** Says goodbye to everyone, answers what was accepted, and ends. */
  close(): Promise<void>;
}

/** Starts a server. @throws DatabaseError, SchemaError, SigningKeyError, Error when the port is taken */
export async function startServer(config: Config, options: StartOptions = {}): Promise<RunningServer> {
  const tls = openTlsFiles(config.tls);
  const node = await openNode(config, options);
  try {
    return await serve(node, tls);
  } catch (error) {
    await node.bus.close();
    await node.database.close();
    throw error;
  }
}

async function serve(node: Node, tls: TlsFiles | undefined): Promise<RunningServer> {
  const { config, log, store, bus, clock } = node;
  const accounts = await openAccounts(config, store, bus, clock, securityLog(log));
  const rooms = openRooms(node, accounts);
  const dispatcher = new Dispatcher(dispatching(node, accounts), servicesOf(node, accounts, rooms));
  rooms.hub.start(dispatcher);
  rooms.purge.start();
  const listener = await listen({
    config: { ...config.server, connectionsPerAddress: config.limits.connectionsPerAddress, frameBytes: config.limits.frameBytes },
    api: dispatcher,
    realtime: rooms.hub,
    operations: operationsOf(node, accounts),
    documents: { openapi: contractFile("openapi.json"), asyncapi: contractFile("asyncapi.json") },
    tls: tls?.identity,
    log,
  });
  if (tls !== undefined) {
    tls.follow(listener.renewTls, log);
    node.metrics.watch("tls_certificate_expiry_timestamp_seconds", () => tls.endsAt / 1000);
  }
  const close = (): Promise<void> => {
    tls?.close();
    return shutDown(node, listener, accounts, rooms);
  };
  return {
    port: listener.port,
    grpcPort: listener.grpcPort,
    url: config.server.publicUrl ?? listener.url,
    admin: adminOf(accounts),
    reloadTls: () => tls?.reload(),
    close,
  };
}

function contractFile(name: string): string {
  return readFileSync(fileURLToPath(import.meta.resolve(`@parlor/contract/${name}`)), "utf8");
}

/** Nobody new, goodbye to everyone, then whatever was accepted is stored and answered before the database is let go. */
async function shutDown(
  { config, bus, database }: Node,
  listener: Listener,
  { auth }: Accounts,
  { feeds, writer, hub, purge }: Rooms,
): Promise<void> {
  listener.drain();
  await writer.idle();
  hub.drain(comeBackMs);
  await listener.close(config.server.drainMs);
  await writer.idle();
  await purge.stop();
  feeds.close();
  auth.identities.close();
  await bus.close();
  await database.close();
}
