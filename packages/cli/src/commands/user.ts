import type { AdminUser, RoleName } from "@parlor/server/admin";
import { Command, Option } from "commander";
import { print, printable, readPassword, table } from "../terminal.ts";

interface CreateOptions {
  readonly admin?: boolean;
  readonly role: RoleName;
  readonly displayName?: string;
  readonly passwordStdin?: boolean;
  readonly json?: boolean;
}

type Change = "promote" | "deactivate" | "reactivate";

async function access() {
  return (await import("../admin-access.ts")).withAdmin;
}

async function create(username: string, { admin: isAdmin, role, displayName, passwordStdin, json }: CreateOptions): Promise<void> {
  const password = await readPassword({ fromInput: passwordStdin, repeat: true });
  const request = { username, password, role: isAdmin ? "ADMIN" : role, ...(displayName === undefined ? {} : { displayName }) } as const;
  const user = await (await access())((admin) => admin.createUser(request));
  print(json, user, [`Made ${user.username} (${user.role}), id ${user.id}.`]);
}

async function change(kind: Change, username: string, options: { readonly role?: RoleName; readonly json?: boolean }): Promise<void> {
  const user = await (await access())((admin) =>
    kind === "promote" ? admin.setRole({ username, role: options.role ?? "ADMIN" }) : admin[kind]({ username }),
  );
  print(options.json, user, [`${user.username} is ${user.deactivated ? "deactivated" : user.role} now.`]);
}

function userTable(users: readonly AdminUser[]): string[] {
  const rows = users.map((user) => [
    user.username,
    user.role,
    user.deactivated ? "deactivated" : "",
    user.createdAt.slice(0, 10),
    user.id,
    printable(user.displayName),
  ]);
  return table([["USER NAME", "ROLE", "STATE", "SINCE", "ID", "DISPLAY NAME"], ...rows]);
}

async function everybody(role: RoleName | undefined): Promise<AdminUser[]> {
  return (await access())(async (admin) => {
    const found: AdminUser[] = [];
    for (;;) {
      const after = found.at(-1)?.username;
      const { users } = await admin.listUsers({ ...(role === undefined ? {} : { role }), ...(after === undefined ? {} : { after }) });
      if (users.length === 0) return found;
      found.push(...users);
    }
  });
}

async function list({ role, json }: { readonly role?: RoleName; readonly json?: boolean }): Promise<void> {
  const users = await everybody(role);
  print(json, users, userTable(users));
}

const roles = ["GUEST", "USER", "MODERATOR", "ADMIN"];
const json = (): Option => new Option("--json", "Print the result as JSON.");
const roleOption = (text: string): Option => new Option("--role <role>", text).choices(roles);

const createHelp = `
The password is asked for, or read from standard input; it is never an argument.

Examples:
  parlor user create alice --admin
  parlor user create bob --display-name "Bob B." --password-stdin < password.txt
  parlor user create bot --role GUEST --json --password-stdin < password.txt`;

function createCommand(): Command {
  return new Command("create")
    .description("Make an account, also when signing up is switched off.")
    .argument("<name>", "the user name: 3 to 32 of a-z, 0-9, . _ -")
    .option("--admin", "The same as --role ADMIN.")
    .addOption(roleOption("What the person may do on this server.").default("USER"))
    .option("--display-name <text>", "The name to show.")
    .option("--password-stdin", "Read the password from standard input.")
    .addOption(json())
    .addHelpText("after", createHelp)
    .action(create);
}

function changeCommand(kind: Change, description: string, example: string): Command {
  return new Command(kind)
    .description(description)
    .argument("<name>", "the user name")
    .addOption(json())
    .addHelpText("after", `\nExample:\n  ${example}`)
    .action((username: string, options: { readonly json?: boolean }) => change(kind, username, options));
}

const help = `
These commands need no account, but the right to read the data folder of the server, or its database. While a server runs,
it does the work itself, through parlor.sock in its data folder (PARLOR_DATA_DIR); otherwise the database is opened directly.
Set PARLOR_DATA_DIR or DATABASE_URL as for the server.

Examples:
  parlor user create alice --admin
  parlor user promote alice
  parlor user list --role ADMIN`;

export function userCommand(): Command {
  const promote = changeCommand(
    "promote",
    "Give a person another role: administrator unless told otherwise.",
    "parlor user promote alice --role MODERATOR",
  );
  return new Command("user")
    .description("Make and change accounts, as the operator of the server.")
    .addHelpText("after", help)
    .addCommand(createCommand())
    .addCommand(promote.addOption(roleOption("The role to give.").default("ADMIN")))
    .addCommand(
      changeCommand("deactivate", "Close an account: its sessions end now, and it cannot log in.", "parlor user deactivate mallory"),
    )
    .addCommand(changeCommand("reactivate", "Open a closed account again.", "parlor user reactivate bob"))
    .addCommand(
      new Command("list")
        .description("List accounts by name.")
        .addOption(roleOption("Only those with this role."))
        .addOption(json())
        .addHelpText("after", "\nExamples:\n  parlor user list\n  parlor user list --role ADMIN --json")
        .action(list),
    );
}
