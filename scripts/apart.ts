// The server as five processes on this machine: gateway (on PORT, or 8080); auth; users; rooms and messages; realtime. It needs
// DATABASE_URL, and should have REDIS_URL. What each of them is told is printed, so that it can be told the same elsewhere. They end
// together, on Ctrl-C.
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";

const parts = ["auth", "users", "rooms,messages", "realtime", "gateway"] as const;
type Part = (typeof parts)[number];

const parlor = join(import.meta.dirname, "../packages/cli/src/parlor.ts");
const { DATABASE_URL, REDIS_URL, PORT = "8080" } = process.env;

if (DATABASE_URL === undefined) {
  console.error("Set DATABASE_URL to a PostgreSQL database that the services share, and REDIS_URL to a Redis.");
  process.exit(1);
}

const ports = new Map<Part, string>(
  await Promise.all(parts.map(async (part) => [part, part === "gateway" ? PORT : await freePort()] as const)),
);
const urls = parts
  .filter((part) => part !== "gateway")
  .flatMap((part) => part.split(",").map((name) => [`PARLOR_${name.toUpperCase()}_URL`, `http://127.0.0.1:${ports.get(part)}`] as const));
const common = {
  ...Object.fromEntries(urls),
  ...(REDIS_URL !== undefined && { REDIS_URL }),
  PARLOR_SERVICE_TOKEN: process.env["PARLOR_SERVICE_TOKEN"] ?? randomBytes(32).toString("base64url"),
  HOST: "127.0.0.1",
  PARLOR_LOG_FORMAT: "json",
};

const starting = new Set<Part>(parts);

const running = parts.map(start);
let stopping = false;
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop());
// One that ends by itself ends them all: a server with a part missing is not what was asked for.
await Promise.race(running.map((child) => once(child, "exit")));
stop();
await Promise.all(running.filter(({ exitCode }) => exitCode === null).map((child) => once(child, "exit")));

function environmentOf(part: Part): Record<string, string> {
  return {
    ...common,
    ...(part !== "gateway" && { DATABASE_URL: DATABASE_URL as string }),
    PARLOR_SERVICES: part,
    PORT: ports.get(part) as string,
  };
}

function start(part: Part): ChildProcess {
  const env = environmentOf(part);
  const shown = Object.entries(env).map(([name, value]) => `${name}=${/TOKEN|DATABASE|REDIS/.test(name) ? "..." : value}`);
  console.log(`${part}: ${shown.join(" ")} parlor serve`);
  const child = spawn(process.execPath, [parlor, "serve"], { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
  for (const stream of [child.stdout, child.stderr]) createInterface({ input: stream }).on("line", (line) => show(part, line));
  return child;
}

function show(part: Part, line: string): void {
  console.log(`${part}: ${line}`);
  if (!line.includes('"msg":"Ready"') || !starting.delete(part) || starting.size > 0) return;
  console.log(`\nAll are ready. For clients: http://127.0.0.1:${PORT}. An administrator, in another terminal:`);
  console.log("  npx parlor user create ada --admin\nCtrl-C ends them.\n");
}

/** Once: a second signal would end them at once. */
function stop(): void {
  if (stopping) return;
  stopping = true;
  for (const child of running) if (child.exitCode === null) child.kill("SIGTERM");
}

async function freePort(): Promise<string> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { readonly port: number };
  server.close();
  await once(server, "close");
  return String(port);
}
