// A PostgreSQL server of one's own, to be stopped, crashed and started again.
import { execFile } from "node:child_process";
import { chmodSync, chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { freePort } from "./child-server.ts";

const run = promisify(execFile);

/** The server's programs, the newest version first; where there are none, those in the PATH. */
const programs = newestInstalled();

/** Why no private server can be made here; undefined when one can. In CI it must be possible. */
export const whyNoPrivatePostgres: string | undefined =
  process.env["CI"] === "true" || programs !== undefined ? undefined : "no initdb in /usr/lib/postgresql";

/** How a server is stopped: `fast` ends its sessions and shuts down cleanly, `immediate` is as a crash. */
export type StopMode = "fast" | "immediate";

export class PrivatePostgres implements AsyncDisposable {
  /** The address of the server's database `postgres`. */
  readonly url: string;
  readonly port: number;
  readonly #folder: string;
  #running = false;

  private constructor(folder: string, port: number) {
    this.#folder = folder;
    this.port = port;
    this.url = `postgres://postgres@127.0.0.1:${port}/postgres`;
  }

  /** Makes a cluster and starts its server; takes about two seconds. `settings`: as in postgresql.conf. */
  static async start(settings: Readonly<Record<string, string>> = {}): Promise<PrivatePostgres> {
    const folder = mkdtempSync(join(tmpdir(), "parlor-postgres-"));
    if (isRoot()) chownSync(folder, ...(await accountOfServer()));
    chmodSync(folder, 0o700);
    const server = new PrivatePostgres(folder, await freePort());
    await server.#run("initdb", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "--no-sync", server.#data);
    await server.up(settings);
    return server;
  }

  /** Starts the server; resolves when it takes connections. */
  async up(settings: Readonly<Record<string, string>> = {}): Promise<void> {
    const all = { listen_addresses: "127.0.0.1", unix_socket_directories: "", port: String(this.port), ...settings };
    const options = Object.entries(all).map(([name, value]) => `-c ${name}=${value}`);
    await this.#run("pg_ctl", "start", "-w", "-D", this.#data, "-l", join(this.#folder, "log"), "-o", options.join(" "));
    this.#running = true;
  }

  /** Resolves when the server's processes have ended. */
  async down(mode: StopMode = "fast"): Promise<void> {
    if (!this.#running) return;
    this.#running = false;
    await this.#run("pg_ctl", "stop", "-w", "-D", this.#data, "-m", mode);
  }

  async restart(mode: StopMode = "fast"): Promise<void> {
    await this.down(mode);
    await this.up();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.down("immediate");
    rmSync(this.#folder, { recursive: true, force: true });
  }

  get #data(): string {
    return join(this.#folder, "data");
  }

  /** PostgreSQL refuses to run as root: there, the account `postgres` of its packages runs it. */
  async #run(program: string, ...args: readonly string[]): Promise<void> {
    const command = [programs === undefined ? program : join(programs, program), ...args];
    const options = { cwd: this.#folder, timeout: 60_000 };
    if (isRoot()) await run("su", ["postgres", "-s", "/bin/sh", "-c", command.map(quoted).join(" ")], options);
    else await run(command[0] as string, command.slice(1), options);
  }
}

function newestInstalled(): string | undefined {
  const root = "/usr/lib/postgresql";
  const versions = existsSync(root) ? readdirSync(root).sort((a, b) => Number(b) - Number(a)) : [];
  return versions.map((version) => join(root, version, "bin")).find((folder) => existsSync(join(folder, "initdb")));
}

function isRoot(): boolean {
  return process.getuid?.() === 0;
}

async function accountOfServer(): Promise<[user: number, group: number]> {
  const [user, group] = await Promise.all(["-u", "-g"].map(async (option) => Number((await run("id", [option, "postgres"])).stdout)));
  return [user as number, group as number];
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
