import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { chmod, mkdtemp, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type DatabaseKind, embedded, postgres } from "./parlor-databases.ts";
import { type Seed, seed } from "./parlor-seed.ts";
import { freePort } from "./ports.ts";
import { ServerProcess, shown } from "./process.ts";
import type { Place, Running, Subject } from "./subject.ts";

const PROGRAM = fileURLToPath(new URL("../../packages/cli/src/parlor.ts", import.meta.url));
const MANIFEST = new URL("../../packages/server/package.json", import.meta.url);

/** Only what keeps a single generator on one address from being refused; everything else is as it comes. */
const SETTINGS = { HOST: "127.0.0.1", PARLOR_RATE_LIMITS: "off", PARLOR_CONNECTIONS_PER_ADDRESS: "20000" };
/** The accounts of a bench need no strong hash; nobody signs in while something is measured. */
const SEED_SETTINGS = { ...SETTINGS, PARLOR_BCRYPT_COST: "4" };

const stored = "signs in, authorizes, stores durably before it delivers, orders";

export const parlor = subject("parlor", "parlorJson", embedded, `JSON, embedded database; ${stored}`);
export const parlorProto = subject("parlor (protobuf)", "parlorProto", embedded, `protobuf, embedded database; ${stored}`);
export const parlorPostgres = subject("parlor (PostgreSQL)", "parlorJson", postgres, `JSON, PostgreSQL counted in; ${stored}`);
export const parlorGrpc = subject("parlor (gRPC)", "parlorGrpc", embedded, `embedded database; ${stored}`);

function subject(name: string, protocol: string, database: DatabaseKind, does: string): Subject {
  return {
    name,
    does,
    protocol,
    missing: () => (existsSync(PROGRAM) ? database.missing() : "not built yet"),
    version: () => [`parlor ${parlorVersion()}`, database.version()].join(", "),
    start: (place, listeners) => start(database, place, listeners + 1),
  };
}

async function start(database: DatabaseKind, place: Place, members: number): Promise<Running> {
  const folder = await seedCopy(database, place, members);
  await using starting = new AsyncDisposableStack();
  const data = starting.use(await database.start(join(folder, "data")));
  const port = await freePort();
  const command = serveCommand(port, { ...SETTINGS, ...data.env });
  const server = starting.use(await serve(port, command));
  const { roomId, tokens } = JSON.parse(await readFile(join(folder, "seed.json"), "utf8")) as Seed;
  const all = starting.move();
  return {
    pids: [server.pid, ...data.pids],
    door: { port, roomId, tokens },
    command: shown(command),
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

/** A data folder of the embedded database with so many accounts, all members of one room. */
export async function dataFolder(place: Place, members: number): Promise<string> {
  return join(await seedCopy(embedded, place, members), "data");
}

/** A fresh copy, in the place of the last one. */
async function seedCopy(database: DatabaseKind, place: Place, members: number): Promise<string> {
  const original = await seeded(database, place, members);
  const folder = join(place.scratch, "parlor-round");
  execFileSync("rm", ["-rf", folder]);
  execFileSync("cp", ["-a", original, folder]);
  return folder;
}

/** The folder with a room of so many members, made when it is first needed and then only copied. */
async function seeded(database: DatabaseKind, place: Place, members: number): Promise<string> {
  const folder = join(place.scratch, `parlor-${database.name}-${members}`);
  if (!existsSync(folder)) await rename(await makeSeed(database, place, members), folder);
  return folder;
}

async function makeSeed(database: DatabaseKind, { scratch }: Place, members: number): Promise<string> {
  const folder = await mkdtemp(join(scratch, "parlor-seed-"));
  await chmod(folder, 0o755);
  await using data = await database.make(join(folder, "data"));
  const port = await freePort();
  await using _server = await serve(port, serveCommand(port, { ...SEED_SETTINGS, ...data.env }));
  await writeFile(join(folder, "seed.json"), JSON.stringify(await seed(port, members)));
  return folder;
}

function serveCommand(port: number, settings: Readonly<Record<string, string>>) {
  return { argv: [process.execPath, PROGRAM, "serve"], env: { PORT: String(port), ...settings } };
}

async function serve(port: number, command: ReturnType<typeof serveCommand>): Promise<ServerProcess> {
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
