// The embedded engine has one connection: to its thread. It is lost with the thread, and had again when the files are opened anew.
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Worker } from "node:worker_threads";
import { openPglite, type PgliteDatabase } from "../../src/engines/database-pglite.ts";
import type { Connection, Database, SqlResult, SqlValue } from "../../src/ports/database.ts";
import { migratedPglite } from "./databases.ts";
import type { Cut, CutPlan, LossyDatabase } from "./lossy-database.ts";
import { StatementReader } from "./statement-reader.ts";

/** In memory where there is such a place: what is lost here is a thread, not power. */
export const filesPlace = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();

/** A migrated database on disk. */
export async function lossyPglite(): Promise<LossyDatabase> {
  const dataDir = mkdtempSync(join(filesPlace, "parlor-lossy-"));
  return new LossyPglite(dataDir, await migratedPglite());
}

class LossyPglite implements LossyDatabase {
  readonly #dataDir: string;
  readonly #template: Uint8Array<ArrayBuffer>;
  #current: Promise<{ readonly database: PgliteDatabase; readonly thread: CuttableThread }>;
  #plan: CutPlan | undefined;

  constructor(dataDir: string, template: Uint8Array<ArrayBuffer>) {
    this.#dataDir = dataDir;
    this.#template = template;
    this.#current = this.#open();
  }

  readonly database: Database = {
    query: async <Row>(sql: string, params?: readonly SqlValue[]): Promise<SqlResult<Row>> => (await this.#now).query<Row>(sql, params),
    transaction: async <T>(work: (connection: Connection) => Promise<T>) => (await this.#now).transaction(work),
    connect: async () => (await this.#now).connect(),
    close: async () => (await this.#now).close(),
  };

  cutAt(statement: RegExp, cut: Cut): Promise<void> {
    return new Promise((done) => {
      this.#plan = { statement, cut, done };
    });
  }

  cut(): void {
    void this.#current.then(({ thread }) => thread.end());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.database.close();
    rmSync(this.#dataDir, { recursive: true });
  }

  get #now(): Promise<PgliteDatabase> {
    return this.#current.then(({ database }) => database);
  }

  async #open(): Promise<{ database: PgliteDatabase; thread: CuttableThread }> {
    const started = once(process, "worker");
    const database = await openPglite({ dataDir: this.#dataDir, template: this.#template });
    const [worker] = (await started) as [Worker];
    const thread = new CuttableThread(worker, database, (text) => this.#takePlan(text));
    worker.once("exit", (code) => {
      if (code === 0) return;
      this.#current = database.close().then(() => this.#open());
    });
    return { database, thread };
  }

  #takePlan(text: string): CutPlan | undefined {
    const plan = this.#plan;
    if (!plan?.statement.test(text)) return undefined;
    this.#plan = undefined;
    return plan;
  }
}

/** The thread's messages, among which it can be ended. */
class CuttableThread {
  readonly #worker: Worker;
  readonly #database: PgliteDatabase;
  readonly #planFor: (text: string) => CutPlan | undefined;
  readonly #reader = new StatementReader({ started: true });
  #answers = 0;
  /** Set: answers are kept from the client; with the first of them the thread ends. */
  #plan: CutPlan | undefined;

  constructor(worker: Worker, database: PgliteDatabase, planFor: (text: string) => CutPlan | undefined) {
    this.#worker = worker;
    this.#database = database;
    this.#planFor = planFor;
    const post = worker.postMessage.bind(worker);
    worker.postMessage = (message: unknown, transfer: never) => this.#take(message, () => post(message, transfer));
    const emit = worker.emit.bind(worker) as (...event: unknown[]) => boolean;
    worker.emit = (...event: unknown[]) => (event[0] === "message" ? this.#answered(() => emit(...event)) : emit(...event));
  }

  end(): void {
    void this.#worker.terminate();
  }

  #take(message: unknown, post: () => void): void {
    const plan = message instanceof Uint8Array ? this.#planOf(message) : undefined;
    if (plan?.cut === "before") this.#cut(plan);
    else post();
    if (plan?.cut === "after") this.#plan = plan;
    if (plan?.cut === "during") this.#cutAtWork(plan, this.#database.syncs, this.#answers);
  }

  #planOf(bytes: Uint8Array): CutPlan | undefined {
    let plan: CutPlan | undefined;
    for (const { statement } of this.#reader.read(bytes)) plan ??= this.#planFor(statement);
    return plan;
  }

  #answered(emit: () => boolean): boolean {
    this.#answers++;
    if (this.#plan === undefined) return emit();
    this.#cut(this.#plan);
    return true;
  }

  /** As soon as it has written to disk, which a commit does before it is answered. */
  #cutAtWork(plan: CutPlan, syncs: number, answers: number): void {
    if (this.#database.syncs > syncs || this.#answers > answers) this.#cut(plan);
    else setImmediate(() => this.#cutAtWork(plan, syncs, answers));
  }

  #cut(plan: CutPlan): void {
    void this.#worker.terminate().then(plan.done);
  }
}
