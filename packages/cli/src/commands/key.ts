import type { Admin, AdminKey } from "@parlor/server/admin";
import { Command } from "commander";
import { print, table } from "../terminal.ts";

interface Options {
  readonly json?: boolean;
}

async function ask(work: (admin: Admin) => Promise<{ readonly keys: readonly AdminKey[] }>): Promise<readonly AdminKey[]> {
  return (await (await import("../admin-access.ts")).withAdmin(work)).keys;
}

function keyTable(keys: readonly AdminKey[]): string[] {
  return table([["KEY", "USE", "SINCE"], ...keys.map(({ id, use, createdAt = "from a file" }) => [id, use, createdAt])]);
}

async function list({ json }: Options): Promise<void> {
  const keys = await ask((admin) => admin.listKeys({}));
  print(json, keys, keyTable(keys));
}

async function rotate({ json }: Options): Promise<void> {
  const keys = await ask((admin) => admin.rotateKey({}));
  print(json, keys, ["Made a new key, which signs in ten seconds.", ...keyTable(keys)]);
}

const listHelp = `
NEXT      signs as soon as every node knows it
SIGNING   signs every access token
ACCEPTED  signs no more; what it has signed is good until it expires

These are the keys of /.well-known/jwks.json, by their "kid".

Examples:
  parlor key list
  parlor key list --json`;

const rotateHelp = `
Nobody is signed out: every node reads the new key within 5 seconds, and signs with it 10 seconds after it was made. Tokens of
the key before stay good until they expire (PARLOR_ACCESS_TOKEN_LIFETIME, 15 minutes). Tokens of still older keys are refused
within 5 seconds, and clients refresh theirs. So when a key was stolen, rotate twice, 10 seconds apart.

Keys of a file (PARLOR_SIGNING_KEY_FILE) are not rotated: put a new one before the others in that file, and restart.

Example:
  parlor key rotate`;

function keyCommandOf(name: string, description: string, help: string, action: (options: Options) => Promise<void>): Command {
  return new Command(name).description(description).option("--json", "Print the keys as JSON.").addHelpText("after", help).action(action);
}

export function keyCommand(): Command {
  return new Command("key")
    .description("Show and replace the keys that sign access tokens, as the operator of the server.")
    .addHelpText(
      "after",
      "\nLike `parlor user`, it is run by the server of the data folder, or on the database.\n\nExample:\n  parlor key rotate",
    )
    .addCommand(keyCommandOf("list", "List the keys, the newest first.", listHelp, list))
    .addCommand(keyCommandOf("rotate", "Make a new key, which signs from then on.", rotateHelp, rotate));
}
