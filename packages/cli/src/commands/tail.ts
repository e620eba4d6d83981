import { Command, InvalidArgumentError, Option } from "commander";
import type { TailOptions } from "../tail-options.ts";

function wholeNumber(most: number) {
  return (text: string): number => {
    if (!/^\d{1,10}$/.test(text) || Number(text) > most) throw new InvalidArgumentError(`It must be a whole number from 0 to ${most}.`);
    return Number(text);
  };
}

const help = `
Every event comes once and in order, also after the connection broke: what was missed comes first. It runs until Ctrl-C.
With --json, each event of the room is one line, in the form of the REST interface, and its "seq" is what --after takes.

Examples:
  parlor tail general
  parlor tail general --last 100
  parlor tail general --from-start --json > general.jsonl
  parlor tail ops --after 1200 --json | jq -r '.messageSent.message.text // empty'`;

export function tailCommand(): Command {
  return new Command("tail")
    .description("Follow a room.")
    .argument("<room>", "the name or id of a room of yours")
    .addOption(new Option("--from-start", "Begin with the first event of the room.").conflicts(["after", "last"]))
    .addOption(new Option("--after <seq>", "Begin after the event with this seq.").argParser(wholeNumber(0xffffffff)).conflicts("last"))
    .addOption(
      new Option("-n, --last <count>", "Begin with so many of the newest messages; 10, or with --json 0, when left out.").argParser(
        wholeNumber(200),
      ),
    )
    .option("--json", "Print events as JSON, one a line.")
    .addHelpText("after", help)
    .action(async (room: string, options: TailOptions) => (await import("../follow.ts")).follow(room, options));
}
