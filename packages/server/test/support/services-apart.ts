// The same server as services apart: gateway, auth, users, rooms and messages, realtime.
import { MemoryBusHub } from "../../src/engines/bus-memory.ts";
import { type Admin, type Environment, type Log, loadConfig, type RunningServer, startServer } from "../../src/index.ts";
import type { Bus } from "../../src/ports/bus.ts";
import { ChildServer, freePort } from "./child-server.ts";
import { engines, freshPostgres } from "./databases.ts";
import { RedisServer } from "./redis.ts";
import { faultLog, type Running, testEnvironment } from "./running.ts";

/** The processes, by what they host; a gateway comes last, since it needs all the others. */
export const partNames = ["auth", "users", "rooms,messages", "realtime", "gateway"] as const;
export type PartName = (typeof partNames)[number];

export const serviceToken = "a secret that only the services of this test know".replaceAll(" ", "-");

/** Why services cannot be apart here: without PostgreSQL they would have nothing in common. */
export const whyNotApart = whyNot();

function whyNot(): string | undefined {
  const postgres = engines.find(({ name }) => name === "postgres");
  return postgres ? postgres.missing : "PARLOR_TEST_DATABASE names another database";
}

/** Where each process listens, as all of them are told. */
export interface Layout {
  readonly ports: ReadonlyMap<PartName, number>;
  /** What every process is told beside what it hosts and where it listens. */
  readonly environment: Environment;
}

export async function newLayout(databaseUrl: string, env: Environment = {}, scheme = "http"): Promise<Layout> {
  const ports = new Map<PartName, number>();
  for (const name of partNames) ports.set(name, await freePort());
  const urls = partNames.flatMap((part) => part.split(",").map((name) => [`PARLOR_${name.toUpperCase()}_URL`, urlOf(ports, part, scheme)]));
  const { PARLOR_GATEWAY_URL: _, ...known } = Object.fromEntries(urls) as Record<string, string>;
  return { ports, environment: { ...testEnvironment, DATABASE_URL: databaseUrl, PARLOR_SERVICE_TOKEN: serviceToken, ...known, ...env } };
}

function urlOf(ports: ReadonlyMap<PartName, number>, part: PartName, scheme = "http"): string {
  return `${scheme}://${scheme === "https" ? "localhost" : "127.0.0.1"}:${ports.get(part)}`;
}

/** The environment of one process: the gateway has no database. */
export function environmentOf({ ports, environment }: Layout, part: PartName): Environment {
  const { DATABASE_URL, ...rest } = environment;
  return {
    ...rest,
    ...(part !== "gateway" && { DATABASE_URL }),
    PORT: String(ports.get(part)),
    PARLOR_SERVICES: part,
  };
}

/** Services apart in this process, which share nothing but what they would share as processes of their own. */
export interface Apart extends Running {
  readonly parts: ReadonlyMap<PartName, RunningServer>;
  readonly layout: Layout;
  /** Ends a service as a shutdown does. */
  stop(part: PartName): Promise<void>;
  /** Starts one that was stopped, where it was. */
  start(part: PartName): Promise<void>;
}

export interface ApartOptions {
  readonly env?: Environment;
  /** By which they reach each other. */
  readonly scheme?: "http" | "https";
  /** What one of them alone is told. */
  readonly only?: Partial<Readonly<Record<PartName, Environment>>>;
  /** What each service writes its log to, beside what is noted of its faults. */
  readonly logOf?: (part: PartName, faults: Log) => Log;
  /** A node's way to the others; left out, a bus in this process. */
  readonly joinBus?: () => Bus;
}

/** Starts the services on a fresh PostgreSQL database. What is asked of it goes to the gateway. */
export async function servicesApart({ env, scheme, only, logOf, joinBus }: ApartOptions = {}): Promise<Apart> {
  const { url, close } = await freshPostgres();
  const layout = await newLayout(url, env, scheme);
  const hub = new MemoryBusHub();
  const faults: string[] = [];
  const parts = new Map<PartName, RunningServer>();
  const noted = faultLog(faults);
  const start = async (part: PartName): Promise<void> => {
    const config = loadConfig({ ...environmentOf(layout, part), ...only?.[part] });
    parts.set(part, await startServer(config, { bus: joinBus?.() ?? hub.join(), log: logOf?.(part, noted) ?? noted }));
  };
  const stop = async (part: PartName): Promise<void> => {
    await parts.get(part)?.close();
    parts.delete(part);
  };
  for (const part of partNames) await start(part);
  const server = parts.get("gateway") as RunningServer;
  return {
    server,
    admin: parts.get("auth")?.admin as Admin,
    port: server.port,
    url: urlOf(layout.ports, "gateway"),
    faults,
    parts,
    layout,
    start,
    stop,
    async [Symbol.asyncDispose]() {
      for (const part of partNames.toReversed()) await stop(part);
      await close();
    },
  };
}

/** Services apart as processes of their own, with a Redis of their own. */
export interface ProcessesApart extends AsyncDisposable {
  /** The gateway's. */
  readonly port: number;
  readonly url: string;
  /** What they logged as their own faults since they were last started. */
  readonly faults: readonly string[];
  logOf(part: PartName): readonly string[];
  /** Ends a service as a crash does. */
  kill(part: PartName): Promise<void>;
  /** Starts one that was killed, where it was. */
  start(part: PartName): Promise<void>;
}

export async function processesApart(env: Environment = {}): Promise<ProcessesApart> {
  const { url: databaseUrl, close } = await freshPostgres();
  const redis = await RedisServer.start();
  const layout = await newLayout(databaseUrl, { REDIS_URL: redis.url, ...env });
  const processes = new Map<PartName, ChildServer>();
  const start = async (part: PartName): Promise<void> => {
    processes.set(part, await ChildServer.start(environmentOf(layout, part)));
  };
  await Promise.all(partNames.map(start));
  return {
    port: layout.ports.get("gateway") as number,
    url: urlOf(layout.ports, "gateway"),
    get faults() {
      return [...processes.values()].flatMap((process) => process.faults);
    },
    logOf: (part) => processes.get(part)?.log ?? [],
    kill: async (part) => processes.get(part)?.kill(),
    start,
    async [Symbol.asyncDispose]() {
      for (const process of processes.values()) await process.kill();
      await redis[Symbol.asyncDispose]();
      await close();
    },
  };
}
