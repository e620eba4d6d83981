import { Command, InvalidArgumentError } from "commander";

function steps(text: string): number {
  if (!/^[1-9]\d{0,3}$/.test(text)) throw new InvalidArgumentError("It must be a whole number from 1.");
  return Number(text);
}

const help = `
\`parlor serve\` brings the database up to date by itself, and so does \`parlor migrate up\`. The database is that of the
settings (DATABASE_URL, DB_HOST ..., PARLOR_DATA_DIR; see parlor serve --help). Stop the server before you migrate down.

Examples:
  parlor migrate status
  parlor migrate up
  parlor migrate down 1`;

/** The embedded and the PostgreSQL database have the same schema, and these commands work on both. */
export function migrateCommand(): Command {
  const run = () => import("../migrations.ts");
  return new Command("migrate")
    .description("Show and change the version of the database's schema.")
    .addHelpText("after", help)
    .addCommand(
      new Command("up")
        .description("Bring the schema up to date.")
        .addHelpText("after", "\nExample:\n  DATABASE_URL=postgres://parlor@db/parlor parlor migrate up")
        .action(async () => (await run()).migrateUp()),
    )
    .addCommand(
      new Command("down")
        .description("Take back the newest migrations, and with them the data that only they have a place for.")
        .argument("[count]", "how many", steps, 1)
        .addHelpText("after", "\nExamples:\n  parlor migrate down\n  parlor migrate down 2")
        .action(async (count: number) => (await run()).migrateDown(count)),
    )
    .addCommand(
      new Command("redo")
        .description("Take back the newest migrations and apply them again; the data that only they have a place for is lost.")
        .argument("[count]", "how many", steps, 1)
        .addHelpText("after", "\nExample:\n  parlor migrate redo")
        .action(async (count: number) => (await run()).migrateRedo(count)),
    )
    .addCommand(
      new Command("status")
        .description("List the migrations and whether each has been applied.")
        .option("--json", "Print them as JSON.")
        .addHelpText("after", "\nExample:\n  parlor migrate status --json")
        .action(async ({ json }: { readonly json?: boolean }) => (await run()).migrationStatus(json)),
    );
}
