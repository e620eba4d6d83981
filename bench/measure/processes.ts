import { readdirSync, readFileSync } from "node:fs";

/** Clock ticks a second in /proc; fixed by Linux for user space. */
const TICKS = 100;
const PAGE_BYTES = 4096;

interface ProcessState {
  readonly pid: number;
  readonly parent: number;
  /** User and system time of all its threads and of the children it has waited for. */
  readonly cpuSeconds: number;
  readonly rssBytes: number;
}

/** What a server uses: the processes named and all that descend from them. */
export interface Usage {
  readonly cpuSeconds: number;
  readonly rssBytes: number;
}

export function usageOf(roots: readonly number[]): Usage {
  const family = familyOf(roots, readAll());
  return {
    cpuSeconds: sum(family.map((state) => state.cpuSeconds)),
    rssBytes: sum(family.map((state) => state.rssBytes)),
  };
}

/**
 * CPU time of processes that start no others and whose threads all stay, in seconds. In /proc/PID/stat a server that
 * needs few ticks of 10 ms in a round has hardly a figure at all; the scheduler counts nanoseconds, per thread.
 */
export function preciseCpuSeconds(pids: readonly number[]): number {
  const threads = pids.flatMap((pid) => readdirSync(`/proc/${pid}/task`).map((thread) => `/proc/${pid}/task/${thread}/schedstat`));
  return sum(threads.map((file) => Number.parseInt(readFileSync(file, "latin1"), 10))) / 1e9;
}

function familyOf(roots: readonly number[], all: readonly ProcessState[]): ProcessState[] {
  const known = new Set(roots);
  for (let size = -1; size !== known.size; ) {
    size = known.size;
    for (const { pid, parent } of all) if (known.has(parent)) known.add(pid);
  }
  return all.filter(({ pid }) => known.has(pid));
}

function readAll(): ProcessState[] {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return pids.flatMap((pid) => readState(Number(pid)));
}

/** Nothing when the process has just ended. */
function readState(pid: number): ProcessState[] {
  try {
    const line = readFileSync(`/proc/${pid}/stat`, "latin1");
    // Counted from the third field of proc(5), the first after the name, which may hold anything.
    const fields = line
      .slice(line.lastIndexOf(")") + 2)
      .split(" ")
      .map(Number) as [number, ...number[]];
    const field = (number: number): number => fields[number - 3] as number;
    const ticks = field(14) + field(15) + field(16) + field(17);
    return [{ pid, parent: field(4), cpuSeconds: ticks / TICKS, rssBytes: field(24) * PAGE_BYTES }];
  } catch {
    return [];
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
