// The code blocks of a Markdown text, and what a program wrote compared with what the text says that it writes.
import assert from "node:assert/strict";

export interface Block {
  readonly language: string;
  readonly text: string;
  /** The line of its fence. */
  readonly line: number;
}

export function blocksOf(markdown: string): Block[] {
  return [...markdown.matchAll(/^```(\w+)\n(.*?)^```$/gms)].map((match) => ({
    language: match[1] ?? "",
    text: match[2] ?? "",
    line: markdown.slice(0, match.index).split("\n").length,
  }));
}

/** A text in which "…" stands for anything on one line. */
export function patternOf(text: string): RegExp {
  const literal = text.trimEnd().replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return new RegExp(`^${literal.replaceAll("…", "[^\\n]*?")}\\s*$`);
}

/** @throws AssertionError when the output is not what the block shows; JSON is compared as JSON */
export function assertShown({ language, text, line }: Block, output: string): void {
  const written = language === "json" ? JSON.stringify(JSON.parse(output)) : output;
  const expected = language === "json" ? JSON.stringify(JSON.parse(text)) : text;
  assert.match(written, patternOf(expected), `line ${line}: the output is\n${written}`);
}
