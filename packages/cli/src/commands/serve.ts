import { configurationHelp } from "@parlor/server/config-reference";
import { Command } from "commander";
import { launchServer } from "../launch-server.ts";

const help = `
The server runs until it gets SIGTERM or SIGINT (Ctrl-C): then it takes no more work, tells every client where it stands,
finishes what it has begun, and exits. A second signal ends it at once.

Examples:
  parlor serve                                       port 8080, the embedded database in ./data
  PORT=9000 PARLOR_DATA_DIR=/srv/parlor parlor serve
  DATABASE_URL=postgres://parlor@db/parlor parlor serve
  parlor serve --services rooms,messages             a part of the server: see docs/services.md
`;

/** A wrong configuration is said before the server is loaded. */
async function run({ services }: { readonly services?: string }): Promise<void> {
  const { loadConfig } = await import("@parlor/server/config");
  const config = loadConfig(services === undefined ? process.env : { ...process.env, PARLOR_SERVICES: services });
  await launchServer(config);
}

export function serveCommand(): Command {
  return new Command("serve")
    .description("Run a server: every protocol on one port.")
    .option("--services <names>", "host only these, with commas: gateway, auth, users, rooms, messages, realtime (or PARLOR_SERVICES)")
    .addHelpText("after", () => `${help}\n${configurationHelp()}`)
    .action(run);
}
