import type { Database } from "../ports/database.ts";

interface Settings {
  readonly fsync: string;
  readonly synchronous_commit: string;
  readonly full_page_writes: string;
}

const consequences: Readonly<Record<keyof Settings, string>> = {
  fsync: "a loss of power can destroy the database",
  synchronous_commit: "a crash of the database loses messages that were already acknowledged",
  full_page_writes: "a loss of power can damage tables",
};

/** What in the database's settings breaks the promise that acknowledged means durable, in words; empty when nothing does. */
export async function durabilityWarnings(database: Database): Promise<string[]> {
  const { rows } = await database.query<Settings>(
    `select current_setting('fsync') as fsync, current_setting('synchronous_commit') as synchronous_commit,
      current_setting('full_page_writes') as full_page_writes`,
  );
  const settings = Object.entries(rows[0] ?? {}) as [keyof Settings, string][];
  return settings.filter(([, value]) => value === "off").map(([name]) => `The database runs with ${name} = off: ${consequences[name]}.`);
}
