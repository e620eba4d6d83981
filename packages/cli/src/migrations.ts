import { loadConfig } from "@parlor/server/config";
import { type MigrationOutcome, type Migrator, openMigrator } from "@parlor/server/migrator";
import { mustExist } from "./data-folder.ts";
import { print, table } from "./terminal.ts";

async function withMigrator<T>(mayCreate: boolean, work: (migrator: Migrator) => Promise<T>): Promise<T> {
  const { database } = loadConfig(process.env);
  if (!mayCreate && database.engine === "pglite") mustExist(database.folder);
  const migrator = await openMigrator(database);
  try {
    return await work(migrator);
  } finally {
    await migrator.close();
  }
}

function report({ applied, reverted }: MigrationOutcome): void {
  const lines = [...reverted.map((name) => `taken back  ${name}`), ...applied.map((name) => `applied     ${name}`)];
  print(undefined, undefined, lines.length === 0 ? ["Nothing to do."] : lines);
}

export async function migrateUp(): Promise<void> {
  report(await withMigrator(true, (migrator) => migrator.up()));
}

export async function migrateDown(count: number): Promise<void> {
  report(await withMigrator(false, (migrator) => migrator.down(count)));
}

export async function migrateRedo(count: number): Promise<void> {
  report(await withMigrator(false, (migrator) => migrator.redo(count)));
}

export async function migrationStatus(json: boolean | undefined): Promise<void> {
  const found = await withMigrator(false, (migrator) => migrator.status());
  const rows = found.map(({ name, appliedAt, known }) => [name, appliedAt?.toISOString() ?? "pending", known ? "" : "of a newer version"]);
  print(json, found, table([["MIGRATION", "APPLIED", ""], ...rows]));
}
