// Starts what the tests can use beside Node - PostgreSQL, Redis, Mosquitto - on free ports and in temporary folders, prints the
// variables that tell the tests where, and ends it all on Ctrl-C: `npm run services`.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

interface Service {
  readonly name: string;
  readonly binary: string;
  /** How to get it when it is not there. */
  readonly debian: string;
  readonly docker: string;
  readonly variable: string;
  url(port: number): string;
  start(binary: string, port: number, folder: string): ChildProcess;
}

/** Servers often stand where only root looks for programs; PostgreSQL's are in a folder of its version. */
function find(binary: string): string | undefined {
  const debian = "/usr/lib/postgresql";
  const versions = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : [];
  const folders = [
    ...(process.env["PATH"] ?? "").split(":"),
    "/usr/local/sbin",
    "/usr/sbin",
    ...versions.map((version) => `${debian}/${version}/bin`),
  ];
  return folders.map((folder) => join(folder, binary)).find((path) => existsSync(path));
}

/** PostgreSQL refuses to run as root: then it runs as the user that its package made. */
function account(): { readonly uid?: number; readonly gid?: number } {
  if (process.getuid?.() !== 0) return {};
  const id = (what: string): number => Number(execFileSync("id", [what, "postgres"], { encoding: "utf8" }));
  return { uid: id("-u"), gid: id("-g") };
}

const quiet = { stdio: ["ignore", "ignore", "inherit"] as ["ignore", "ignore", "inherit"] };

function startPostgres(binary: string, port: number, folder: string): ChildProcess {
  const owner = account();
  if (owner.uid !== undefined && owner.gid !== undefined) chownSync(folder, owner.uid, owner.gid);
  const data = join(folder, "data");
  execFileSync(join(binary, "../initdb"), ["-D", data, "-A", "trust", "-U", "postgres"], { ...quiet, ...owner, cwd: folder });
  const settings = ["-c", "listen_addresses=127.0.0.1", "-c", "log_min_messages=fatal", "-k", folder];
  return spawn(binary, ["-D", data, "-p", String(port), ...settings], { ...quiet, ...owner, cwd: folder });
}

function startMosquitto(binary: string, port: number, folder: string): ChildProcess {
  const config = join(folder, "mosquitto.conf");
  writeFileSync(config, `listener ${port} 127.0.0.1\nallow_anonymous true\nlog_type error\n`);
  return spawn(binary, ["-c", config], { ...quiet, cwd: folder });
}

const services: readonly Service[] = [
  {
    name: "PostgreSQL",
    binary: "postgres",
    debian: "postgresql",
    docker: "docker run --rm -p 5432:5432 -e POSTGRES_HOST_AUTH_METHOD=trust postgres:15",
    variable: "PARLOR_TEST_POSTGRES_URL",
    url: (port) => `postgres://postgres@127.0.0.1:${port}/postgres`,
    start: startPostgres,
  },
  {
    name: "Redis",
    binary: "redis-server",
    debian: "redis-server",
    docker: "docker run --rm -p 6379:6379 redis:7",
    variable: "PARLOR_TEST_REDIS_URL",
    url: (port) => `redis://127.0.0.1:${port}`,
    start: (binary, port, folder) => spawn(binary, ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder], quiet),
  },
  {
    name: "Mosquitto",
    binary: "mosquitto",
    debian: "mosquitto",
    docker: "docker run --rm -p 1883:1883 eclipse-mosquitto:2 mosquitto -c /mosquitto-no-auth.conf",
    variable: "PARLOR_TEST_MQTT_URL",
    url: (port) => `mqtt://127.0.0.1:${port}`,
    start: startMosquitto,
  },
];

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { readonly port: number };
  server.close();
  await once(server, "close");
  return port;
}

/** Waits until the service accepts connections, for half a minute. @throws Error when it has ended, or does not */
async function accepts(child: ChildProcess, port: number, name: string): Promise<void> {
  for (let attempt = 0; attempt < 300; attempt++) {
    if (child.exitCode !== null) break;
    const socket = connect(port, "127.0.0.1");
    const open = await once(socket, "connect").then(
      () => true,
      () => false,
    );
    socket.destroy();
    if (open) return;
    await delay(100);
  }
  throw new Error(`${name} did not start`);
}

async function start(service: Service, root: string): Promise<ChildProcess | undefined> {
  const binary = find(service.binary);
  if (binary === undefined) {
    console.error(`# ${service.name} is not installed: apt-get install ${service.debian}, or ${service.docker}`);
    return undefined;
  }
  const [port, folder] = [await freePort(), join(root, service.binary)];
  mkdirSync(folder);
  const child = service.start(binary, port, folder);
  await accepts(child, port, service.name);
  console.log(`export ${service.variable}=${service.url(port)}`);
  return child;
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const exited = once(child, "exit");
  // PostgreSQL: disconnect everybody; the others simply end.
  child.kill("SIGINT");
  await exited;
}

const root = mkdtempSync(join(tmpdir(), "parlor-services-"));
const children: ChildProcess[] = [];
const told = new Promise<void>((resolve) => {
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => resolve());
});
try {
  // The user of PostgreSQL must reach its folder.
  execFileSync("chmod", ["711", root]);
  for (const service of services) children.push(...[await start(service, root)].filter((child) => child !== undefined));
  console.error("# Ctrl-C ends them.");
  const alive = setInterval(() => {}, 60_000);
  await told;
  clearInterval(alive);
} finally {
  await Promise.all(children.map(stop));
  rmSync(root, { recursive: true, force: true });
}
