// What of a folder `docker build` sees: .dockerignore as Docker reads it. The last pattern that fits a path or a folder above it decides.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

interface Rule {
  readonly expression: RegExp;
  readonly text: string;
  readonly keeps: boolean;
}

function expressionOf(pattern: string): RegExp {
  const parts = pattern.split(/(\*\*\/|\*\*|\*|\?)/).map((part) => {
    if (part === "**/") return "(?:.*/)?";
    if (part === "**") return ".*";
    if (part === "*") return "[^/]*";
    return part === "?" ? "[^/]" : part.replace(/[.+^${}()|[\]\\]/g, "\\$&");
  });
  // A pattern that fits a folder fits what is in it.
  return new RegExp(`^${parts.join("")}(?:/|$)`);
}

function rulesOf(text: string): Rule[] {
  const lines = text.split("\n").map((line) => line.trim());
  return lines
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => ({ keeps: line.startsWith("!"), text: line.replace(/^!/, "") }))
    .map((rule) => ({ ...rule, expression: expressionOf(rule.text) }));
}

/** The files of a folder that its .dockerignore lets through, as paths from it with `/`. */
export function buildContext(folder: string): string[] {
  const rules = rulesOf(readFileSync(join(folder, ".dockerignore"), "utf8"));
  const ignored = (path: string): boolean => rules.findLast(({ expression }) => expression.test(path))?.keeps === false;
  const mayHold = (path: string): boolean => rules.some(({ keeps, text }) => keeps && text.startsWith(`${path}/`));
  const below = (path: string): string[] =>
    readdirSync(join(folder, path), { withFileTypes: true }).flatMap((entry) => {
      const inner = path === "" ? entry.name : `${path}/${entry.name}`;
      if (entry.isDirectory()) return ignored(inner) && !mayHold(inner) ? [] : below(inner);
      return ignored(inner) ? [] : [inner];
    });
  return below("").sort();
}
