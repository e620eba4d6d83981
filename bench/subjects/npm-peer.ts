import { readFileSync } from "node:fs";
import { findPackageJSON } from "node:module";
import { fileURLToPath } from "node:url";
import { freePort, listening } from "./ports.ts";
import { ServerProcess, shown } from "./process.ts";
import type { Running, Subject } from "./subject.ts";

interface NpmPeer {
  readonly name: string;
  readonly does: string;
  readonly protocol: string;
  /** The package that does the work. */
  readonly package: string;
  /** The file in bench/servers that runs it. */
  readonly server: string;
}

/** A peer whose server is a small program here around a package of npm. */
export function npmPeer(peer: NpmPeer): Subject {
  return {
    name: peer.name,
    does: peer.does,
    protocol: peer.protocol,
    missing: () => undefined,
    version: () => `${peer.package} ${versionOf(peer.package)}`,
    start: () => startNpmServer(fileURLToPath(new URL(`../servers/${peer.server}`, import.meta.url))),
  };
}

/** Runs a program of bench/servers on a free port. */
export async function startNpmServer(program: string, env: Readonly<Record<string, string>> = {}): Promise<Running> {
  const port = await freePort();
  const command = { argv: [process.execPath, program], env: { PORT: String(port), NODE_ENV: "production", ...env } };
  const server = new ServerProcess(command);
  await server.started(() => listening(port));
  return {
    pids: [server.pid],
    door: { port },
    command: shown(command),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/** The version of a package of npm, as it is installed. */
export function versionOf(name: string): string {
  const file = findPackageJSON(name, import.meta.url);
  return file ? (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version : "not installed";
}
