import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { openPglite } from "../../src/engines/database-pglite.ts";
import { assertFails } from "../suites/assert-fails.ts";
import { databaseSuite } from "../suites/database.ts";
import { freshPglite } from "../support/databases.ts";
import { filesPlace, lossyPglite } from "../support/lossy-pglite.ts";

databaseSuite({ name: "PGlite", sessions: "one", open: freshPglite, openLossy: lossyPglite });

describe("PGlite on disk", () => {
  let template: Uint8Array<ArrayBuffer>;
  const directories: string[] = [];
  const newDirectory = () => {
    const directory = mkdtempSync(join(filesPlace, "parlor-pglite-"));
    directories.push(directory);
    return directory;
  };
  const open = (dataDir: string) => openPglite({ dataDir, template });

  before(async () => {
    const { database, close } = await freshPglite();
    await database.query("create table acknowledged (n integer primary key)");
    template = await database.dump();
    await close();
  });
  after(() => {
    for (const directory of directories) rmSync(directory, { recursive: true });
  });

  it("syncs every commit", async () => {
    const database = await open(newDirectory());
    const before = database.syncs;
    for (let n = 1; n <= 20; n++) await database.query("insert into acknowledged values ($1)", [n]);
    assert.ok(database.syncs - before >= 20, `${database.syncs - before} syncs for 20 commits`);
    const settled = database.syncs;
    await database.transaction(async (tx) => {
      for (let n = 21; n <= 40; n++) await tx.query("insert into acknowledged values ($1)", [n]);
    });
    assert.ok(database.syncs - settled >= 1 && database.syncs - settled < 20, "one sync per transaction, not per row");
    await database.close();
  });

  it("keeps everything that was acknowledged when its process is killed", async () => {
    const directory = newDirectory();
    await (await open(directory)).close();
    const acknowledged = await killedAfter(300, directory);
    const database = await open(directory);
    const { rows } = await database.query<{ n: number }>("select n from acknowledged order by n");
    const stored = new Set(rows.map(({ n }) => n));
    assert.deepEqual(
      acknowledged.filter((n) => !stored.has(n)),
      [],
    );
    await database.query("insert into acknowledged values (-1)");
    await database.close();
  });

  it("starts anew when its process died while it made the database", async () => {
    const directory = newDirectory();
    await (await open(directory)).close();
    rmSync(join(directory, "pglite", "base"), { recursive: true });
    writeFileSync(join(directory, "pglite.unfinished"), "");
    const database = await open(directory);
    assert.equal((await database.query("select * from acknowledged")).rows.length, 0);
    await database.close();
  });

  it("refuses a directory that is open, and takes it when it is closed", async () => {
    const directory = newDirectory();
    const first = await open(directory);
    await assertFails(open(directory), "unavailable", new RegExp(`in use by process ${process.pid}.*PARLOR_DATA_DIR`));
    await first.close();
    await (await open(directory)).close();
    assert.ok(!existsSync(join(directory, "parlor.lock")));
  });

  it("takes over the lock of another container only when that one is dead", async () => {
    const directory = newDirectory();
    const lock = join(directory, "parlor.lock");
    writeFileSync(lock, JSON.stringify({ pid: 1, host: "elsewhere", started: "1" }));
    const signsOfLife = setInterval(() => utimesSync(lock, new Date(), new Date()), 100);
    await assertFails(open(directory), "unavailable", /process 1 on elsewhere/);
    clearInterval(signsOfLife);
    utimesSync(lock, new Date(0), new Date(0));
    const database = await open(directory);
    assert.equal(JSON.parse(readFileSync(lock, "utf8")).pid, process.pid);
    await database.close();
  });

  it("takes over the lock of an earlier process with the same number", async () => {
    const directory = newDirectory();
    const database = await open(directory);
    const lock = join(directory, "parlor.lock");
    const holder = JSON.parse(readFileSync(lock, "utf8"));
    await database.close();
    if (holder.started === "") return; // Only Linux tells when a process started.
    writeFileSync(lock, JSON.stringify({ ...holder, started: "1" }));
    await (await open(directory)).close();
  });

  it("fails every call, and closes, when PostgreSQL has stopped", async () => {
    const directory = newDirectory();
    const database = await open(directory);
    rmSync(join(directory, "pglite", "global", "pg_control"));
    const calls = [
      database.query("checkpoint"),
      database.query("insert into acknowledged values (1)"),
      database.transaction((tx) => tx.query("select 1")),
    ];
    for (const outcome of await Promise.allSettled(calls)) assert.equal(outcome.status, "rejected");
    await assertFails(database.query("select 1"), "unavailable", /has stopped/);
    assert.match((await database.lost).message, /has stopped/);
    await database.close();
  });

  it("says why a database does not open", async () => {
    const directory = newDirectory();
    await (await open(directory)).close();
    writeFileSync(join(directory, "pglite", "PG_VERSION"), "12\n");
    await assertFails(open(directory), "fault", /incompatible.*version 12/);
    assert.ok(!existsSync(join(directory, "parlor.lock")));
    const file = join(newDirectory(), "file");
    writeFileSync(file, "");
    await assertFails(openPglite({ dataDir: file }), "fault", /data directory/);
  });
});

/** Kills a process that writes rows as soon as it has acknowledged so many; answers with all that it acknowledged. */
async function killedAfter(rows: number, directory: string): Promise<number[]> {
  const writer = fileURLToPath(new URL("../support/acknowledging-writer.ts", import.meta.url));
  const child = spawn(process.execPath, [writer, directory], { stdio: ["ignore", "pipe", "inherit"] });
  const ended = once(child, "exit");
  const acknowledged: number[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    acknowledged.push(Number(line));
    if (acknowledged.length === rows) child.kill("SIGKILL");
  }
  await ended;
  assert.ok(acknowledged.length >= rows, `the writer ended after ${acknowledged.length} rows`);
  return acknowledged;
}
