// Opens, and at the first start makes, the files of a PGlite database.
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { open, readdir } from "node:fs/promises";
import { join } from "node:path";
import { PGlite, type PGliteOptions } from "@electric-sql/pglite";
import { NodeFS } from "@electric-sql/pglite/nodefs";
import { DurableFiles, startParameters } from "./pglite-files.ts";

export interface ClusterOptions {
  /** Undefined: in memory. */
  readonly dataDir: string | undefined;
  /** PostgreSQL's shared_buffers, such as "16MB". */
  readonly sharedBuffers: string;
  /** A tar file made by `dump` to start a new database from. */
  readonly template: Uint8Array<ArrayBuffer> | undefined;
}

const SYNCS_AT_A_TIME = 4;

export interface ClusterHooks {
  /** Called after each sync. */
  readonly onSync: () => void;
  /** Calls `makeCluster` in a thread that ends with it, and takes along the memory that this took. */
  readonly make: (directory: string) => Promise<void>;
}

/**
 * While a database is being made, a file beside it says so: after a crash in between, the half of it is thrown away. Nothing
 * has been acknowledged by then.
 */
export async function openCluster(options: ClusterOptions, { onSync, make }: ClusterHooks): Promise<PGlite> {
  const { dataDir, template } = options;
  if (dataDir === undefined) return start(options, {});
  const directory = join(dataDir, "pglite");
  const unfinished = join(dataDir, "pglite.unfinished");
  if (existsSync(unfinished)) rmSync(directory, { recursive: true, force: true });
  const open = (from: typeof template) => start({ ...options, template: from }, { fs: new DurableFiles(directory, onSync) });
  if (existsSync(join(directory, "PG_VERSION"))) return open(undefined);
  writeFileSync(unfinished, "The database beside this file is being made.\n");
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  if (template === undefined) await make(directory);
  const database = await open(template);
  await syncTree(directory);
  rmSync(unfinished);
  await sync(dataDir);
  return database;
}

/** Makes the files of a database in an empty directory. They are not synced. */
export async function makeCluster(directory: string, options: ClusterOptions): Promise<void> {
  const database = await start(options, { fs: new NodeFS(directory) });
  await database.close();
}

async function start(options: ClusterOptions, where: Pick<PGliteOptions, "fs">): Promise<PGlite> {
  // PGlite's own error says only that it failed; why, PostgreSQL logs.
  const reasons: string[] = [];
  const database = new PGlite({
    ...where,
    ...(options.template === undefined ? {} : { loadDataDir: new Blob([options.template]) }),
    startParams: startParameters(options.dataDir !== undefined, options.sharedBuffers),
    onStderr: (line) => {
      if (/FATAL|PANIC|DETAIL/.test(line)) reasons.push(line.replace(/^.*?(?=FATAL|PANIC|DETAIL)/, ""));
      return false;
    },
  });
  try {
    await database.waitReady;
  } catch (error) {
    throw new Error([(error as Error).message, ...reasons].join("; "), { cause: error });
  }
  return database;
}

/** PGlite copies the thousand new files without a sync. Syncing several at a time takes a third of the time. */
async function syncTree(directory: string): Promise<void> {
  const entries = await readdir(directory, { withFileTypes: true, recursive: true });
  const paths = entries.filter((entry) => entry.isFile() || entry.isDirectory()).map(({ parentPath, name }) => join(parentPath, name));
  const queue = [directory, ...paths].values();
  const syncRest = async () => {
    for (const path of queue) await sync(path);
  };
  await Promise.all(Array.from({ length: SYNCS_AT_A_TIME }, syncRest));
}

async function sync(path: string): Promise<void> {
  const file = await open(path);
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
