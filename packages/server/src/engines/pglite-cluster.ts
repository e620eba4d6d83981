// Opens, and at the first start makes, the files of a PGlite database.
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { open, readdir } from "node:fs/promises";
import { join } from "node:path";
import { PGlite, type PGliteOptions } from "@electric-sql/pglite";
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

/**
 * While a database is being made, a file beside it says so: after a crash in between, the half of it is thrown away. Nothing
 * has been acknowledged by then.
 */
export async function openCluster(options: ClusterOptions, onSync: () => void): Promise<PGlite> {
  if (options.dataDir === undefined) return start(options, {});
  const directory = join(options.dataDir, "pglite");
  const unfinished = join(options.dataDir, "pglite.unfinished");
  if (existsSync(unfinished)) rmSync(directory, { recursive: true, force: true });
  const files = () => ({ fs: new DurableFiles(directory, onSync) });
  if (existsSync(join(directory, "PG_VERSION"))) return start({ ...options, template: undefined }, files());
  writeFileSync(unfinished, "The database beside this file is being made.\n");
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const database = await start(options, files());
  await syncTree(directory);
  rmSync(unfinished);
  await sync(options.dataDir);
  return database;
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
