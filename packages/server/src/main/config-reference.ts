// What people read about the settings: the page docs/configuration.md and the end of `parlor serve --help`.
import { schema } from "./config-schema.ts";
import type { Setting } from "./settings.ts";

interface Part {
  readonly title: string;
  readonly settings: readonly Setting<unknown>[];
}

const parts: readonly Part[] = Object.values(schema).map(({ title, settings }) => ({
  title,
  settings: Object.values<Setting<unknown>>(settings),
}));

const introduction = `# Configuration

<!-- Made by scripts/configuration.ts from packages/server/src/main/config-schema.ts. Do not edit. -->

Parlor is configured by environment variables. Every one of them has a default, so that none has to be set. A variable that
is empty counts as left out. At start, the server names every variable that is wrong, and any \`PARLOR_...\` that it does not
know, and does not start.

Times have a unit: \`ms\`, \`s\`, \`m\`, \`h\` or \`d\`, as in \`25s\`. Sizes too: \`B\`, \`KiB\`, \`MiB\` or \`GiB\`. What is not listed here,
such as the length of a room's name or the size of a page, is fixed by the contract (\`proto/parlor/v1\`).
`;

function cell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("\n", " ");
}

function row(setting: Setting<unknown>): string {
  const fallback = setting.fallbackText === "" ? "" : `\`${setting.fallbackText}\``;
  const doc = setting.secret ? `${setting.doc} Secret: never shown.` : setting.doc;
  return `| \`${setting.variable}\` | ${fallback} | ${cell(setting.accepts)} | ${cell(doc)} |`;
}

/** The page docs/configuration.md. */
export function configurationPage(): string {
  const tables = parts.map(({ title, settings }) =>
    [`## ${title}`, "", "| Variable | Default | Must be | Meaning |", "|---|---|---|---|", ...settings.map(row), ""].join("\n"),
  );
  return [introduction, ...tables].join("\n");
}

function wrapped(text: string, width: number, indent: string): string {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines.map((line) => indent + line).join("\n");
}

function helpEntry(setting: Setting<unknown>): string {
  const fallback = setting.fallbackText === "" ? "" : ` (${setting.fallbackText})`;
  return `  ${setting.variable}${fallback}\n${wrapped(`${setting.doc.replaceAll("`", "")} It must be ${setting.accepts}.`, 84, "      ")}`;
}

/** The settings for a terminal. */
export function configurationHelp(): string {
  const sections = parts.map(({ title, settings }) => `${title}:\n${settings.map(helpEntry).join("\n")}`);
  return `Settings come from the environment. Every one of them has a default.\n\n${sections.join("\n\n")}`;
}
