import { execFileSync } from "node:child_process";
import { chownSync, existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { freePort, listening } from "./ports.ts";
import { ServerProcess } from "./process.ts";

const VERSIONS = "/usr/lib/postgresql";
const NOBODY = 65_534;

/** A PostgreSQL of our own, as it comes: it syncs every commit. */
export class PostgresCluster implements AsyncDisposable {
  readonly #server: ServerProcess;
  readonly url: string;

  private constructor(server: ServerProcess, port: number) {
    this.#server = server;
    this.url = `postgres://parlor@127.0.0.1:${port}/postgres`;
  }

  static missing(): string | undefined {
    return existsSync(VERSIONS) && newest() ? undefined : "not installed (Debian package postgresql)";
  }

  static version(): string {
    return execFileSync(program("postgres"), ["--version"], { encoding: "utf8" }).trim().replace(" (PostgreSQL)", "");
  }

  /** Makes an empty cluster in a folder that is not there yet. */
  static initialize(folder: string): void {
    const user = safeUser();
    mkdirSync(folder, { mode: 0o700 });
    if (user !== undefined) chownSync(folder, user, user);
    const argv = ["-D", folder, "-U", "parlor", "-A", "trust", "--locale=C.UTF-8", "-E", "UTF8"];
    execFileSync(program("initdb"), argv, { cwd: "/", stdio: "ignore", ...(user === undefined ? {} : { uid: user, gid: user }) });
  }

  static async start(folder: string, cores?: string): Promise<PostgresCluster> {
    const port = await freePort();
    const argv = [program("postgres"), "-D", folder, "-p", String(port), "-k", "", "-c", "listen_addresses=127.0.0.1"];
    const user = safeUser();
    const server = new ServerProcess({ argv, ...(cores && { cores }), ...(user === undefined ? {} : { uid: user }) });
    await server.started(() => listening(port));
    return new PostgresCluster(server, port);
  }

  get pid(): number {
    return this.#server.pid;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#server[Symbol.asyncDispose]();
  }
}

/** PostgreSQL refuses to run as root. */
function safeUser(): number | undefined {
  return process.getuid?.() === 0 ? NOBODY : undefined;
}

function program(name: string): string {
  return join(VERSIONS, newest() ?? "", "bin", name);
}

function newest(): string | undefined {
  return readdirSync(VERSIONS)
    .sort((a, b) => Number(b) - Number(a))
    .at(0);
}
