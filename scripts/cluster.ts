// Several nodes on this machine, on one PostgreSQL database and one Redis: `npm run cluster`. They end together, on Ctrl-C.
//
//   npm run cluster -- [--nodes 3] [--port 8080]
//
// PostgreSQL is that of DATABASE_URL, and this database is used as it is; without it, the one at 127.0.0.1:5432, where a database is
// made for the time being. Redis is that of REDIS_URL, or the one at 127.0.0.1:6379. Other settings go to every node as they are.
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Client } from "pg";

const localPostgres = "postgres://postgres@127.0.0.1:5432/postgres";
const localRedis = "redis://127.0.0.1:6379";
const parlor = join(import.meta.dirname, "../packages/cli/src/parlor.ts");

interface Place {
  readonly url: string;
  drop(): Promise<void>;
}

async function administer(statement: string): Promise<void> {
  const client = new Client({ connectionString: localPostgres, connectionTimeoutMillis: 3000 });
  await client.connect();
  await client.query(statement);
  await client.end();
}

/** The database of the settings, or a new one. @throws Error when there is no PostgreSQL */
async function openPlace(): Promise<Place> {
  const given = process.env["DATABASE_URL"];
  if (given) return { url: given, drop: async () => {} };
  const name = `parlor_cluster_${randomBytes(4).toString("hex")}`;
  await administer(`create database ${name}`).catch((error: unknown) => {
    throw new Error(`There is no PostgreSQL at 127.0.0.1:5432 for the user "postgres" (${String(error)}). Set DATABASE_URL.`);
  });
  const url = Object.assign(new URL(localPostgres), { pathname: `/${name}` }).href;
  return { url, drop: () => administer(`drop database ${name} with (force)`) };
}

class Node {
  readonly ended: Promise<unknown>;
  readonly #process: ChildProcess;
  readonly #name: string;

  constructor(number: number, env: NodeJS.ProcessEnv) {
    this.#name = `node ${number}`;
    this.#process = spawn(process.execPath, [parlor, "serve"], { env, stdio: ["ignore", "pipe", "inherit"], detached: true });
    this.ended = once(this.#process, "exit");
  }

  /** Where it serves. @throws Error when it ends before */
  async ready(): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    let written = "";
    this.#process.stdout?.setEncoding("utf8").on("data", (text: string) => {
      written += text;
      const [, url] = /"url":"([^"]+)".*"msg":"Ready"/.exec(written) ?? [];
      if (url) resolve(url);
    });
    void this.ended.then(() => reject(new Error(`${this.#name} does not start:\n${written}`)));
    const url = await promise;
    // What it writes from now on is of no use here, but has to be read.
    this.#process.stdout?.removeAllListeners("data").resume();
    return url;
  }

  async stop(): Promise<void> {
    this.#process.kill("SIGTERM");
    await this.ended;
  }
}

function environmentOf(place: Place, folder: string, prefix: string, number: number, port: number): NodeJS.ProcessEnv {
  return {
    HOST: "127.0.0.1",
    REDIS_URL: localRedis,
    PARLOR_REDIS_PREFIX: prefix,
    ...process.env,
    PORT: String(port === 0 ? 0 : port + number - 1),
    DATABASE_URL: place.url,
    PARLOR_DATA_DIR: join(folder, `node-${number}`),
    PARLOR_LOG_FORMAT: "json",
  };
}

async function run(count: number, port: number): Promise<void> {
  const signal = new Promise((resolve) => process.once("SIGINT", resolve).once("SIGTERM", resolve));
  const folder = mkdtempSync(join(tmpdir(), "parlor-cluster-"));
  const place = await openPlace();
  const prefix = `parlor-cluster-${randomBytes(4).toString("hex")}`;
  const nodes: Node[] = [];
  try {
    for (let number = 1; number <= count; number++) {
      const node = new Node(number, environmentOf(place, folder, prefix, number, port));
      nodes.push(node);
      console.log(`Node ${number}: ${await node.ready()}`);
    }
    console.log(`An administrator: PARLOR_DATA_DIR=${join(folder, "node-1")} npx parlor user create ada --admin`);
    console.log("Ctrl-C ends them.");
    await signal;
  } finally {
    await Promise.all(nodes.map((node) => node.stop()));
    await place.drop();
    rmSync(folder, { recursive: true, force: true });
  }
}

const { values } = parseArgs({ options: { nodes: { type: "string", default: "3" }, port: { type: "string", default: "8080" } } });
try {
  await run(Number(values.nodes), Number(values.port));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
