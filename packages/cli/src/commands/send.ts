import { Command } from "commander";
import { readInput } from "../terminal.ts";

interface SendOptions {
  readonly key?: string;
  readonly json?: boolean;
}

async function send(room: string, words: readonly string[], { key, json }: SendOptions): Promise<void> {
  const text = words.length === 1 && words[0] === "-" ? await readInput() : words.join(" ");
  const { myRoomId, openClient } = await import("../lookup.ts");
  using client = await openClient();
  const roomId = await myRoomId(client, room);
  const response = await client.messages.sendMessage({ roomId, text, ...(key === undefined ? {} : { clientMessageId: key }) });
  const { SendMessageResponseSchema, encodeJson } = await import("@parlor/client");
  const again = response.duplicate ? " (it was there already)" : "";
  process.stdout.write(
    json ? `${encodeJson(SendMessageResponseSchema, response)}\n` : `Sent as message ${response.message?.seq ?? 0}${again}.\n`,
  );
}

const help = `
It returns when the message is stored for good. If the connection breaks, it is sent again, and stored once.

Examples:
  parlor send general "Lunch?"
  uptime | parlor send ops -
  parlor send ops "backup of $(date +%F) done" --key "backup-$(date +%F)"    however often it runs, one message`;

export function sendCommand(): Command {
  return new Command("send")
    .description("Send a message.")
    .argument("<room>", "the name or id of a room of yours")
    .argument("<text...>", "what to say; - reads it from standard input")
    .option("--key <text>", "The message's client_message_id: a repeat with the same key is not sent twice.")
    .option("--json", "Print the answer as JSON.")
    .addHelpText("after", help)
    .action(send);
}
