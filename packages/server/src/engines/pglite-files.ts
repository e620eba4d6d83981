// PGlite's storage on disk, made durable. As shipped, PGlite starts PostgreSQL with fsync off, and its file system has no
// fsync at all: after a loss of power the database may not open again.
import { fsyncSync } from "node:fs";
import { PGlite } from "@electric-sql/pglite";
import { NodeFS } from "@electric-sql/pglite/nodefs";
import { PLAN_CACHE_MODE } from "./pg-statements.ts";
import { type Loop, leaveParserAsItIs } from "./pglite-tiers.ts";

type InitParameters = Parameters<NodeFS["init"]>;
type Emscripten = Awaited<ReturnType<NodeFS["init"]>>;

interface Stream {
  /** The file's descriptor in the operating system. */
  readonly nfd: number;
}

interface StreamOperations {
  fsync(stream: Stream): number;
}

/** EIO as WASI numbers it. PostgreSQL panics on it, as it must: what was not written is lost to the cache. */
const WASI_EIO = 29;

/** NodeFS that syncs when PostgreSQL asks for it. */
export class DurableFiles extends NodeFS {
  readonly #onSync: () => void;

  /** @param onSync called after each sync. */
  constructor(directory: string, onSync: () => void) {
    super(directory);
    this.#onSync = onSync;
  }

  override async init(...parameters: InitParameters): Promise<Emscripten> {
    const { emscriptenOpts } = await super.init(...parameters);
    const syncing = (module: Loop & { NODEFS: unknown }) => {
      const { stream_ops: operations } = module.NODEFS as { stream_ops: StreamOperations };
      operations.fsync = (stream) => this.#sync(stream);
      leaveParserAsItIs(module);
    };
    return { emscriptenOpts: { ...emscriptenOpts, preRun: [...(emscriptenOpts.preRun ?? []), syncing] } };
  }

  #sync(stream: Stream): number {
    try {
      fsyncSync(stream.nfd);
    } catch {
      return WASI_EIO;
    }
    this.#onSync();
    return 0;
  }
}

/**
 * Nothing gathers statistics in the background here: PostgreSQL would believe that a table which was empty when a statement was
 * first planned is empty still, and read all of it each time. Every statement of the store has an index.
 */
const planning = ["enable_seqscan=off", `plan_cache_mode=${PLAN_CACHE_MODE}`];

/** PostgreSQL's arguments: PGlite's own, but synced if it is on disk, and with little memory. */
export function startParameters(onDisk: boolean, sharedBuffers: string): string[] {
  const settings = [`shared_buffers=${sharedBuffers}`, ...planning, ...(onDisk ? ["wal_sync_method=fsync"] : [])];
  const inherited = PGlite.defaultStartParams.filter((parameter) => !onDisk || parameter !== "-F");
  return [...inherited, ...settings.flatMap((setting) => ["-c", setting])];
}
