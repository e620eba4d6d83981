import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { chmod, mkdtemp, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type DatabaseKind, embedded, postgres } from "./parlor-databases.ts";
import { seed } from "./parlor-seed.ts";
import { freePort } from "./ports.ts";
import { type Command, ServerProcess, shown } from "./process.ts";
import { RedisServer } from "./redis-server.ts";
import type { Place, Running, Subject } from "./subject.ts";

const PROGRAM = fileURLToPath(new URL("../../packages/cli/src/parlor.ts", import.meta.url));
/** As `npm start` has it, and the program's first line. */
const NODE_OPTION = "--max-semi-space-size=16";
const MANIFEST = new URL("../../packages/server/package.json", import.meta.url);

/** Only what keeps a single generator on one address from being refused; everything else is as it comes. */
const SETTINGS = { HOST: "127.0.0.1", PARLOR_RATE_LIMITS: "off", PARLOR_CONNECTIONS_PER_ADDRESS: "20000" };
/** The accounts of a bench need no strong hash; nobody signs in while something is measured. */
const SEED_SETTINGS = { ...SETTINGS, PARLOR_BCRYPT_COST: "4" };

const stored = "signs in, authorizes, stores durably before it delivers, orders";

export const parlor = subject({ name: "parlor", protocol: "parlorJson", database: embedded, does: `JSON, embedded database; ${stored}` });
export const parlorProto = subject({
  name: "parlor (protobuf)",
  protocol: "parlorProto",
  database: embedded,
  does: `protobuf, embedded database; ${stored}`,
});
export const parlorPostgres = subject({
  name: "parlor (PostgreSQL)",
  protocol: "parlorJson",
  database: postgres,
  does: `JSON, PostgreSQL counted in; ${stored}`,
});
export const parlorGrpc = subject({
  name: "parlor (gRPC)",
  protocol: "parlorGrpc",
  database: embedded,
  does: `embedded database; ${stored}`,
});
export const parlorMqtt = subject({
  name: "parlor (MQTT)",
  protocol: "parlorMqtt",
  database: embedded,
  does: `QoS 0, embedded database; ${stored}`,
});
export const parlorMqttQos1 = subject({
  name: "parlor (MQTT QoS 1)",
  protocol: "parlorMqttQos1",
  database: embedded,
  does: `QoS 1, embedded database; ${stored}`,
});
export const parlorNodes = subject({
  name: "parlor (two nodes)",
  protocol: "parlorJson",
  database: postgres,
  nodes: 2,
  does: `JSON, two nodes, PostgreSQL and Redis counted in; ${stored}`,
});

interface ParlorSubject {
  readonly name: string;
  readonly protocol: string;
  readonly database: DatabaseKind;
  readonly does: string;
  /** With more than one, Redis is between them. */
  readonly nodes?: number;
  /** Settings beside those of every subject. */
  readonly env?: Readonly<Record<string, string>>;
  /** What is in the database; one room when left out. */
  readonly seeding?: Seeding;
}

/** Fills an empty server, and says what clients must know to get in. */
export interface Seeding {
  /** Names the copy. */
  readonly name: string;
  readonly seed: (port: number, members: number) => Promise<object>;
}

const oneRoom: Seeding = { name: "room", seed };

export function subject(given: ParlorSubject): Subject {
  const { name, protocol, database, does, nodes = 1 } = given;
  const missing = (): string | undefined => {
    if (!existsSync(PROGRAM)) return "not built yet";
    return database.missing() ?? (nodes > 1 ? RedisServer.missing() : undefined);
  };
  const version = (): string => [`parlor ${parlorVersion()}`, database.version()].join(", ");
  return { name, does, protocol, missing, version, start: (place, listeners) => start(given, place, listeners + 1) };
}

async function start({ database, nodes = 1, env = {}, seeding = oneRoom }: ParlorSubject, place: Place, members: number): Promise<Running> {
  const folder = await seedCopy(database, place, members, seeding);
  await using starting = new AsyncDisposableStack();
  const data = starting.use(await database.start(join(folder, "data"), place.cores));
  const redis = nodes > 1 ? starting.use(await RedisServer.start()) : undefined;
  const settings = { ...SETTINGS, ...data.env, ...env, ...(redis && { REDIS_URL: redis.url }) };
  const ports: number[] = [];
  const pids: number[] = [];
  let command = "";
  for (let node = 0; node < nodes; node++) {
    const port = await freePort();
    const serving = serveCommand(port, nodes === 1 ? settings : { ...settings, PARLOR_DATA_DIR: join(folder, `node-${node}`) });
    pids.push(starting.use(await serve(port, { ...serving, ...(place.cores && { cores: place.cores }) })).pid);
    ports.push(port);
    command = shown(serving);
  }
  const door = JSON.parse(await readFile(join(folder, "seed.json"), "utf8")) as object;
  const all = starting.move();
  return {
    pids: [...pids, ...data.pids, ...(redis ? [redis.pid] : [])],
    ...(redis && { redisPids: [redis.pid] }),
    door: { port: ports[0] as number, ...(nodes > 1 && { nodes: ports }), ...door },
    command,
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

/** A data folder of the embedded database with so many accounts, all members of one room. */
export async function dataFolder(place: Place, members: number): Promise<string> {
  return join(await seedCopy(embedded, place, members, oneRoom), "data");
}

/** A fresh copy, in the place of the last one. */
async function seedCopy(database: DatabaseKind, place: Place, members: number, seeding: Seeding): Promise<string> {
  const original = await seeded(database, place, members, seeding);
  const folder = join(place.scratch, "parlor-round");
  execFileSync("rm", ["-rf", folder]);
  execFileSync("cp", ["-a", original, folder]);
  // Otherwise the first commits of the round would pay for what is still to be written of this.
  execFileSync("sync", ["-f", folder]);
  return folder;
}

/** The folder with what is needed for so many members, made when it is first needed and then only copied. */
async function seeded(database: DatabaseKind, place: Place, members: number, seeding: Seeding): Promise<string> {
  const folder = join(place.scratch, `parlor-${database.name}-${seeding.name}-${members}`);
  if (!existsSync(folder)) await rename(await makeSeed(database, place, members, seeding), folder);
  return folder;
}

async function makeSeed(database: DatabaseKind, { scratch }: Place, members: number, seeding: Seeding): Promise<string> {
  const folder = await mkdtemp(join(scratch, "parlor-seed-"));
  await chmod(folder, 0o755);
  await using data = await database.make(join(folder, "data"));
  const port = await freePort();
  await using _server = await serve(port, serveCommand(port, { ...SEED_SETTINGS, ...data.env }));
  await writeFile(join(folder, "seed.json"), JSON.stringify(await seeding.seed(port, members)));
  return folder;
}

function serveCommand(port: number, settings: Readonly<Record<string, string>>): Command {
  return { argv: [process.execPath, NODE_OPTION, PROGRAM, "serve"], env: { PORT: String(port), ...settings } };
}

async function serve(port: number, command: Command): Promise<ServerProcess> {
  const server = new ServerProcess(command);
  await server.started(() => ready(port));
  return server;
}

async function ready(port: number): Promise<boolean> {
  try {
    return (await fetch(`http://127.0.0.1:${port}/readyz`)).ok;
  } catch {
    return false;
  }
}

function parlorVersion(): string {
  return (JSON.parse(readFileSync(MANIFEST, "utf8")) as { version: string }).version;
}
