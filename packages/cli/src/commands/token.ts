import type { ScopeName } from "@parlor/server/admin";
import { Command, InvalidArgumentError, Option } from "commander";

const allScopes: readonly ScopeName[] = ["READ", "WRITE", "ROOMS", "ADMINISTER"];

interface TokenOptions {
  readonly name: string;
  readonly scope: readonly ScopeName[];
  readonly expires?: number;
  readonly json?: boolean;
}

function scopes(text: string): ScopeName[] {
  const names = text.split(",").map((name) => name.trim().toUpperCase());
  const known = names.filter((name): name is ScopeName => (allScopes as readonly string[]).includes(name));
  if (known.length < names.length) throw new InvalidArgumentError(`It must be a list of ${allScopes.join(", ")}, with commas.`);
  return [...new Set(known)];
}

const hourMs = 3_600_000;

function lifetimeMs(text: string): number {
  const [, count, unit] = /^([1-9]\d{0,5})([hd])$/.exec(text) ?? [];
  if (count === undefined) throw new InvalidArgumentError("It must be a number of hours or days, like 12h or 90d.");
  return Number(count) * (unit === "h" ? hourMs : 24 * hourMs);
}

async function create(username: string, { name, scope, expires, json }: TokenOptions): Promise<void> {
  const { withAdmin } = await import("../admin-access.ts");
  const expiresAt = expires === undefined ? {} : { expiresAt: new Date(Date.now() + expires).toISOString() };
  const created = await withAdmin((admin) => admin.createToken({ username, name, scopes: scope, ...expiresAt }));
  if (!json) process.stderr.write("The token is shown this once. Whoever has it can act as its owner.\n");
  process.stdout.write(json ? `${JSON.stringify(created, null, 2)}\n` : `${created.token}\n`);
}

const help = `
The token alone goes to standard output, so that it can be kept in a file or variable.

Examples:
  parlor token create sensor-bot --name "door sensor" --scope WRITE --expires 90d > sensor.token
  PARLOR_TOKEN=$(parlor token create alice --name laptop --scope READ,WRITE) parlor tail general`;

function createCommand(): Command {
  return new Command("create")
    .description("Make an API token for a device or bot, in the name of a user.")
    .argument("<user>", "the user name of its owner")
    .requiredOption("--name <text>", "What it is for, 1 to 100 characters.")
    .addOption(
      new Option("--scope <list>", `What it may be used for: ${allScopes.join(", ")}, with commas.`)
        .argParser(scopes)
        .default(["READ", "WRITE"], "READ,WRITE"),
    )
    .addOption(new Option("--expires <time>", "When it ends, like 12h or 90d; never when left out.").argParser(lifetimeMs))
    .option("--json", "Print the token and what is known of it as JSON.")
    .addHelpText("after", help)
    .action(create);
}

export function tokenCommand(): Command {
  return new Command("token")
    .description("Make API tokens, as the operator of the server.")
    .addHelpText(
      "after",
      "\nLike `parlor user`, it is run by the server of the data folder, or on the database.\n\nExample:\n  parlor token create alice --name laptop",
    )
    .addCommand(createCommand());
}
