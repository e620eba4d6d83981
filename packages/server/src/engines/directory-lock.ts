// Keeps two processes from opening one data directory, which would destroy it. Node has no file locks, so the lock is a file
// that names its holder, and that the holder touches.
import { mkdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { DatabaseError } from "../ports/database.ts";

export interface DirectoryLock {
  release(): Promise<void>;
}

interface Holder {
  readonly pid: number;
  /** Two containers may give the same pid. */
  readonly host: string;
  /** When the process started, since pids are used again; "" where the system does not tell. */
  readonly started: string;
}

const TOUCH_EVERY_MS = 2_000;
/** A holder that we cannot see (another container) is dead when its lock was not touched for so long. */
const STALE_AFTER_MS = 10_000;
const POLL_MS = 250;

/**
 * Takes the directory, which is made if missing. The lock of a dead process is taken over: at once if it ran here, after 10 s
 * if it ran in another container.
 * @throws DatabaseError `unavailable` when a living process holds it.
 */
export async function lockDirectory(directory: string): Promise<DirectoryLock> {
  const path = join(resolve(directory), "parlor.lock");
  const self: Holder = { pid: process.pid, host: hostname(), started: startOf(process.pid) };
  const content = JSON.stringify(self);
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    while (!create(path, content)) await removeIfStale(path, self);
  } catch (error) {
    if (error instanceof DatabaseError) throw error;
    throw new DatabaseError("fault", `cannot use the data directory: ${(error as Error).message}`, { cause: error });
  }
  return hold(path, content);
}

function create(path: string, content: string): boolean {
  try {
    writeFileSync(path, content, { flag: "wx", mode: 0o600 });
    return true;
  } catch (error) {
    if (codeOf(error) === "EEXIST") return false;
    throw error;
  }
}

async function removeIfStale(path: string, self: Holder): Promise<void> {
  const found = read(path);
  if (found === undefined) return;
  const alive = found.holder === undefined ? undefined : isAlive(found.holder, self);
  if (alive === true || (alive === undefined && (await isTouched(path, found.text)))) throw inUse(path, found.holder);
  // Whoever took it over in the meantime has another text.
  if (read(path)?.text === found.text) rmSync(path, { force: true });
}

/** Undefined when the file is gone; without a holder when it is not (yet) written. */
function read(path: string): { text: string; holder: Holder | undefined } | undefined {
  try {
    const text = readFileSync(path, "utf8");
    return { text, holder: parse(text) };
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

function parse(text: string): Holder | undefined {
  try {
    return JSON.parse(text) as Holder;
  } catch {
    return undefined;
  }
}

/** Undefined when it cannot be told from here. */
function isAlive(holder: Holder, self: Holder): boolean | undefined {
  if (holder.host !== self.host) return undefined;
  if (!exists(holder.pid)) return false;
  if (holder.started === "") return holder.pid === self.pid ? true : undefined;
  return startOf(holder.pid) === holder.started;
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === "EPERM";
  }
}

/**
 * Linux: when the process started, in clock ticks since boot; "" when it runs no more, be it that its parent has not noticed
 * (Z, X). See proc_pid_stat(5): the fields follow the command's name, which may hold anything but ends in ")".
 */
function startOf(pid: number): string {
  try {
    const status = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = status.slice(status.lastIndexOf(")") + 2).split(" ");
    return /[ZX]/.test(fields[0] ?? "") ? "" : (fields[19] ?? "");
  } catch {
    return "";
  }
}

/** Whether the lock is touched, or replaced, before it would be stale. */
async function isTouched(path: string, text: string): Promise<boolean> {
  const before = touchedAt(path);
  while (Date.now() - before < STALE_AFTER_MS) {
    await wait(POLL_MS);
    if (touchedAt(path) !== before || read(path)?.text !== text) return read(path) !== undefined;
  }
  return false;
}

function touchedAt(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

function hold(path: string, content: string): DirectoryLock {
  const timer = setInterval(() => touch(path), TOUCH_EVERY_MS).unref();
  const release = async () => {
    clearInterval(timer);
    if (read(path)?.text === content) rmSync(path, { force: true });
  };
  return { release };
}

function touch(path: string): void {
  try {
    const now = new Date();
    utimesSync(path, now, now);
  } catch {
    // Removed by hand, or the disk is full: it is only a sign of life.
  }
}

function inUse(path: string, holder: Holder | undefined): DatabaseError {
  const who = holder === undefined ? "another process" : `process ${holder.pid} on ${holder.host}`;
  return new DatabaseError(
    "unavailable",
    `the data directory is in use by ${who}. Stop it, or give this one another directory (PARLOR_DATA_DIR), ` +
      `or use PostgreSQL (DATABASE_URL), which several nodes can share. If no such process runs, remove ${path}`,
  );
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}
