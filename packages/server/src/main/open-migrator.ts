import { storeOver } from "../store/kysely.ts";
import { type MigrationOutcome, type MigrationStatus, migrate, migrateDown, migrateRedo, migrationStatus } from "../store/migrator.ts";
import type { DatabaseConfig } from "./config.ts";
import { openDatabase } from "./database.ts";

export type { MigrationOutcome, MigrationStatus };

/** The schema of a database, for the operator. Every method fails with a SchemaError or DatabaseError. */
export interface Migrator {
  up(): Promise<MigrationOutcome>;
  /** Takes back the newest `count` migrations. */
  down(count: number): Promise<MigrationOutcome>;
  /** Takes back the newest `count` migrations and applies them again. */
  redo(count: number): Promise<MigrationOutcome>;
  status(): Promise<readonly MigrationStatus[]>;
  close(): Promise<void>;
}

/** Opens the database without changing its schema. @throws DatabaseError */
export async function openMigrator(config: DatabaseConfig): Promise<Migrator> {
  const database = await openDatabase(config);
  const store = storeOver(database);
  return {
    up: () => migrate(store),
    down: (count) => migrateDown(store, count),
    redo: (count) => migrateRedo(store, count),
    status: () => migrationStatus(store),
    close: () => database.close(),
  };
}
