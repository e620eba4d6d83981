import { Command } from "commander";

const help = `
Without --url it asks the server of this machine, at the PORT of the settings. It says nothing about other servers, and does
not check their certificates: it is for health checks of containers and supervisors.

Examples:
  parlor health
  parlor health --ready
  parlor health --url http://10.0.0.7:8080`;

export function healthCommand(): Command {
  return new Command("health")
    .description("Say whether a server is well: exit code 0 when it answers, 3 when it does not.")
    .addHelpText("after", help)
    .option("--url <url>", "The server, instead of the one on this machine.")
    .option("--ready", "Ask whether it takes work: its database answers, and it is not stopping.")
    .action(async (options: { readonly url?: string; readonly ready?: boolean }) => (await import("../health.ts")).checkHealth(options));
}
