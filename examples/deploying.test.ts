// Follows docs/deploying.md as far as it goes without Docker and Kubernetes, on free ports and in a database of its own:
// - `bash` blocks run to their end, and write what a `text` block after them shows;
// - `console` blocks are a command that goes on, in a terminal of its own, until the next heading, and what it writes;
// - `sh`, `yaml` and other blocks are not run here.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { Client } from "pg";
import { assertShown, type Block, blocksOf, patternOf } from "./support/blocks.ts";
import type { Program } from "./support/processes.ts";
import { root } from "./support/root.ts";
import { Terminal } from "./support/terminal.ts";

const redisUrl = process.env["PARLOR_TEST_REDIS_URL"] ?? "redis://127.0.0.1:6379";
const postgresUrl = process.env["PARLOR_TEST_POSTGRES_URL"] ?? "postgres://postgres@127.0.0.1:5432/postgres";
const page = readFileSync(join(root, "docs/deploying.md"), "utf8");
const folder = mkdtempSync(join(tmpdir(), "parlor-deploying-"));
after(() => rmSync(folder, { recursive: true, force: true }));

/** The first of three free ports in a row. */
async function threePorts(): Promise<number> {
  for (let port = 20_000 + (process.pid % 10_000); ; port += 3) {
    const servers: Server[] = [];
    const free = await Promise.all([0, 1, 2].map((more) => listens(servers, port + more)));
    await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
    if (free.every(Boolean)) return port;
  }
}

function listens(servers: Server[], port: number): Promise<boolean> {
  const server = createServer();
  const { promise, resolve } = Promise.withResolvers<boolean>();
  server
    .once("error", () => resolve(false))
    .listen(port, "127.0.0.1", () => {
      servers.push(server);
      resolve(true);
    });
  return promise;
}

/** Why a server of others cannot be used, or false. */
async function missing(name: string, url: string, fallback: number): Promise<string | false> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port) || fallback, hostname);
  const { promise, resolve } = Promise.withResolvers<boolean>();
  socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
  const there = await promise;
  socket.destroy();
  if (!there && process.env["CI"]) throw new Error(`${name} does not answer at ${hostname}`);
  return there ? false : `${name} does not answer at ${hostname}`;
}

interface EmptyDatabase extends AsyncDisposable {
  readonly url: string;
}

async function emptyDatabase(): Promise<EmptyDatabase> {
  const name = `parlor_test_${randomBytes(6).toString("hex")}`;
  const administer = async (statement: string): Promise<void> => {
    const client = new Client({ connectionString: postgresUrl });
    await client.connect();
    await client.query(statement);
    await client.end();
  };
  await administer(`create database ${name}`);
  const url = Object.assign(new URL(postgresUrl), { pathname: `/${name}` }).href;
  return { url, [Symbol.asyncDispose]: () => administer(`drop database ${name} with (force)`) };
}

/** One who reads a part of the page and types in its blocks. */
class Reader implements AsyncDisposable {
  readonly #terminal: Terminal;
  readonly #changes: readonly (readonly [string, string])[];
  #running: Program[] = [];

  constructor(port: number, env: Readonly<Record<string, string>>, changes: readonly (readonly [string, string])[]) {
    this.#terminal = new Terminal(folder, env);
    const ports = [0, 1, 2].map((more) => [String(8080 + more), String(port + more)] as const);
    const files = [
      ["/var/lib/parlor", join(folder, "data")],
      ["parlor.dump", join(folder, "parlor.dump")],
    ] as const;
    this.#changes = [...ports, ...files, ["--silent cluster", `--silent cluster -- --port ${port}`], ...changes];
  }

  async follow(block: Block, next: Block | undefined): Promise<void> {
    const text = this.#here(block.text);
    if (block.language === "console") return this.#watch(text, block.line);
    const { code, stdout, stderr } = await this.#terminal.run(text);
    assert.equal(code, 0, `line ${block.line}: ${stdout}${stderr}`);
    if (next?.language === "text") assertShown({ ...next, text: this.#here(next.text) }, stdout);
  }

  /** Ends what goes on. */
  async stop(): Promise<void> {
    const running = this.#running;
    this.#running = [];
    for (const program of running) await program.stop("SIGINT");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #watch(text: string, line: number): Promise<void> {
    const [, command = "", shown = ""] = /^\$ (.*?)\n(.*)$/s.exec(text) ?? [];
    assert.ok(command, `line ${line}`);
    const program = this.#terminal.start(command);
    this.#running.push(program);
    // What npm says before it is not shown.
    await program.until(new RegExp(patternOf(shown).source, "m"));
  }

  #here(text: string): string {
    return this.#changes.reduce((changed, [from, to]) => changed.replaceAll(from, to), text);
  }
}

/** The blocks under a heading of the second level that are for the terminal, by heading of the third. */
function blocksUnder(heading: string): Block[][] {
  const section = page.split(/^(?=## )/m).find((part) => part.startsWith(`## ${heading}\n`));
  assert.ok(section, heading);
  return section.split(/^(?=### )/m).map(blocksOf);
}

async function followSection(heading: string, reader: Reader): Promise<number> {
  let steps = 0;
  for (const blocks of blocksUnder(heading)) {
    for (const [index, block] of blocks.entries()) {
      if (block.language !== "bash" && block.language !== "console") continue;
      await reader.follow(block, blocks[index + 1]);
      steps++;
    }
    await reader.stop();
  }
  return steps;
}

const [noPostgres, noRedis] = await Promise.all([missing("PostgreSQL", postgresUrl, 5432), missing("Redis", redisUrl, 6379)]);
const base = (name: string) => ({ PARLOR_DATA_DIR: join(folder, name), PARLOR_BCRYPT_COST: "4", PARLOR_LOG_FORMAT: "json" });

test("one machine, embedded database", { timeout: 60_000 }, async () => {
  await using reader = new Reader(await threePorts(), base("embedded"), []);
  assert.equal(await followSection("One machine, embedded database", reader), 2);
});

test("one machine, PostgreSQL, with backup and restore", { skip: noPostgres, timeout: 60_000 }, async () => {
  await using database = await emptyDatabase();
  const changes = [["postgres://parlor:a%20long%20secret@127.0.0.1:5432/parlor", database.url]] as const;
  await using reader = new Reader(await threePorts(), base("postgres"), changes);
  assert.equal(await followSection("One machine, PostgreSQL", reader), 5);
});

test("three nodes, PostgreSQL, Redis", { skip: noPostgres || noRedis, timeout: 60_000 }, async () => {
  await using database = await emptyDatabase();
  const env = { ...base("cluster"), DATABASE_URL: database.url, REDIS_URL: redisUrl, PARLOR_RATE_LIMITS: "off" };
  await using reader = new Reader(await threePorts(), env, []);
  assert.equal(await followSection("Three nodes, PostgreSQL, Redis", reader), 2);
});
