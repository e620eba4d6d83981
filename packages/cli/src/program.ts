import { Command } from "commander";
import manifest from "../package.json" with { type: "json" };
import { exitCodeHelp } from "./failure.ts";

const introduction = `Parlor: a self-hosted chat server, and a client for the terminal.

Start a server:      parlor serve
Make yourself known: parlor user create alice --admin
Talk:                parlor login alice
                     parlor rooms create general --public
                     parlor send general "Hello!"
                     parlor tail general`;

const environmentHelp = `
Environment of the client commands (login, rooms, send, tail):
  PARLOR_URL    the server (default: the one of the last login, or http://localhost:8080)
  PARLOR_TOKEN  an access token or API token, instead of a login
The server's settings: parlor serve --help

${exitCodeHelp}`;

type Loader = () => Promise<Command>;

const groups: Readonly<Record<string, Readonly<Record<string, Loader>>>> = {
  "Server:": {
    serve: async () => (await import("./commands/serve.ts")).serveCommand(),
    bridge: async () => (await import("./commands/bridge.ts")).bridgeCommand(),
    migrate: async () => (await import("./commands/migrate.ts")).migrateCommand(),
    health: async () => (await import("./commands/health.ts")).healthCommand(),
    user: async () => (await import("./commands/user.ts")).userCommand(),
    token: async () => (await import("./commands/token.ts")).tokenCommand(),
    key: async () => (await import("./commands/key.ts")).keyCommand(),
  },
  "Client:": {
    login: async () => (await import("./commands/login.ts")).loginCommand(),
    logout: async () => (await import("./commands/login.ts")).logoutCommand(),
    rooms: async () => (await import("./commands/rooms.ts")).roomsCommand(),
    send: async () => (await import("./commands/send.ts")).sendCommand(),
    tail: async () => (await import("./commands/tail.ts")).tailCommand(),
  },
};

const versionFlags = ["-V", "--version"];

/** The command that is called, alone, so that it comes at once; all of them when it is another word. */
function wanted(first: string): (name: string) => boolean {
  if (versionFlags.includes(first)) return () => false;
  const isCommand = Object.values(groups).some((group) => Object.hasOwn(group, first));
  return (name) => !isCommand || name === first;
}

/** The command line, as far as it is needed for these arguments. What a command works with is loaded when it runs. */
export async function program(args: readonly string[]): Promise<Command> {
  const parlor = new Command("parlor")
    .description(introduction)
    .version(manifest.version, versionFlags.join(", "), "Print the version.")
    .helpCommand("help [command]", "Explain a command.")
    .addHelpText("after", environmentHelp);
  const isWanted = wanted(args[0] ?? "");
  for (const [heading, group] of Object.entries(groups)) {
    for (const [name, load] of Object.entries(group)) {
      if (isWanted(name)) parlor.addCommand((await load()).helpGroup(heading));
    }
  }
  return withHabits(parlor);
}

/** What every command has alike; commander passes it on only to commands that it makes itself. */
function withHabits(command: Command): Command {
  command
    .exitOverride()
    .showHelpAfterError(`(Explained by: ${path(command)} --help)`)
    .helpOption("-h, --help", "Explain this command.");
  for (const child of command.commands) withHabits(child);
  return command;
}

function path(command: Command): string {
  return command.parent === null ? command.name() : `${path(command.parent)} ${command.name()}`;
}
