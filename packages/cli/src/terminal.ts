// What passes between a command and the person or program at the other end of standard input and output.
import { UsageError } from "./failure.ts";

/** Everything on standard input, without the line feed at its end. */
export async function readInput(): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of process.stdin) pieces.push(piece as Buffer);
  return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(pieces)).replace(/\r?\n$/, "");
}

const enter = new Set(["\r", "\n", "\u0004"]);
const interrupt = "\u0003";
const erase = new Set(["\u007f", "\b"]);

/** Reads a line from the terminal without showing it. */
function readHidden(prompt: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const typed: string[] = [];
  const end = (): void => {
    process.stdin.setRawMode(false).removeListener("data", take).pause();
    process.stderr.write("\n");
  };
  const take = (text: string): void => {
    for (const key of text) {
      if (key === interrupt || enter.has(key)) {
        end();
        if (key === interrupt) reject(new UsageError("Given up."));
        else resolve(typed.join(""));
        return;
      }
      if (erase.has(key)) typed.pop();
      else typed.push(key);
    }
  };
  process.stderr.write(prompt);
  process.stdin.setEncoding("utf8").setRawMode(true).on("data", take).resume();
  return promise;
}

/**
 * A password: asked for on the terminal, or the first line of standard input. Never an argument, which everybody on the
 * machine could read and the shell would remember.
 */
export async function readPassword(options: {
  readonly fromInput?: boolean | undefined;
  readonly repeat?: boolean | undefined;
}): Promise<string> {
  if (options.fromInput) return (await readInput()).split(/\r?\n/, 1)[0] as string;
  if (!process.stdin.isTTY) throw new UsageError("There is no terminal to ask for the password on: give it with --password-stdin.");
  const password = await readHidden("Password: ");
  if (options.repeat && (await readHidden("Once more: ")) !== password) throw new UsageError("The two passwords are not the same.");
  return password;
}

/** Prints a result: as JSON, or as lines for people. */
export function print(json: boolean | undefined, value: unknown, lines: readonly string[]): void {
  process.stdout.write(json ? `${JSON.stringify(value, null, 2)}\n` : lines.map((line) => `${printable(line)}\n`).join(""));
}

/** A text that somebody else wrote, without what a terminal would obey. Line feeds and tabs stay. */
export function printable(text: string): string {
  return text.replace(/[^\P{Cc}\n\t]|[\u202a-\u202e\u2066-\u2069]/gu, "\ufffd");
}

/** Rows in columns. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}
