import { readFileSync } from "node:fs";
import { findPackageJSON } from "node:module";
import { join } from "node:path";
import { PostgresCluster } from "./postgres-cluster.ts";

/** A database that runs and holds Parlor's data. */
export interface Data extends AsyncDisposable {
  /** The settings by which Parlor finds it. */
  readonly env: Readonly<Record<string, string>>;
  /** Its processes beside Parlor's own. */
  readonly pids: readonly number[];
}

/** One of the databases that Parlor can be on. */
export interface DatabaseKind {
  readonly name: string;
  missing(): string | undefined;
  version(): string;
  /** Makes an empty one in a folder, and starts it. */
  make(folder: string): Promise<Data>;
  /** Starts the one that is in a folder. */
  start(folder: string, cores?: string): Promise<Data>;
}

/** It runs inside Parlor, which makes it when it is not there. */
export const embedded: DatabaseKind = {
  name: "embedded",
  missing: () => undefined,
  version: () => `PGlite ${pgliteVersion()}`,
  make: async (folder) => inside(folder),
  start: async (folder) => inside(folder),
};

export const postgres: DatabaseKind = {
  name: "postgres",
  missing: () => PostgresCluster.missing(),
  version: () => PostgresCluster.version(),
  make: async (folder) => {
    PostgresCluster.initialize(folder);
    return beside(folder);
  },
  start: beside,
};

function inside(folder: string): Data {
  return { env: { PARLOR_DATA_DIR: folder }, pids: [], [Symbol.asyncDispose]: async () => undefined };
}

async function beside(folder: string, cores?: string): Promise<Data> {
  const cluster = await PostgresCluster.start(folder, cores);
  const env = { DATABASE_URL: cluster.url, PARLOR_DATA_DIR: join(folder, "..", "parlor") };
  return { env, pids: [cluster.pid], [Symbol.asyncDispose]: () => cluster[Symbol.asyncDispose]() };
}

function pgliteVersion(): string {
  const file = findPackageJSON("@electric-sql/pglite", new URL("../../packages/server/", import.meta.url));
  return file ? (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version : "not installed";
}
