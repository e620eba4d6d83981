// Every link of a document, and every file that it names, is there.
import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { root } from "./support/root.ts";

const documents = globSync(["*.md", "docs/**/*.md", "examples/**/*.md", "bench/*.md", "packages/*/*.md"], {
  cwd: root,
  exclude: ["**/node_modules/**"],
});

for (const document of documents) {
  test(`${document} names what is there`, () => {
    const text = readFileSync(join(root, document), "utf8").replaceAll(/^```.*?^```$/gms, "");
    const missing = [...brokenLinks(document, text), ...missingFiles(text)];
    assert.deepEqual(missing, []);
  });
}

function brokenLinks(document: string, text: string): string[] {
  const targets = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1] as string).filter((target) => !/^\w+:/.test(target));
  return targets.filter((target) => {
    const [path = "", anchor] = target.split("#");
    const file = path === "" ? join(root, document) : join(root, dirname(document), path);
    return !existsSync(file) || (anchor !== undefined && !anchorsOf(file).has(anchor));
  });
}

/** The anchors that GitHub makes of headings, and those that are written out. */
function anchorsOf(file: string): Set<string> {
  const text = readFileSync(file, "utf8");
  const headings = [...text.matchAll(/^#+ (.*)$/gm)].map((match) => slugOf(match[1] as string));
  return new Set([...headings, ...[...text.matchAll(/<a id="([^"]+)"/g)].map((match) => match[1] as string)]);
}

function slugOf(heading: string): string {
  return heading
    .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1")
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
    .replaceAll(" ", "-");
}

/** Names in backticks that are paths: from the root, or of the server's source. What a benchmark will write may be missing. */
function missingFiles(text: string): string[] {
  const names = [...text.matchAll(/`([\w@.-]+(?:\/[\w@.-]+)+\/?)`/g)].map((match) => match[1] as string);
  const rooted = names.filter(
    (name) => /^(packages|proto|docs|bench|examples|scripts)\//.test(name) && !name.includes("NNNN") && name !== "bench/results/",
  );
  const sources = names.filter((name) => /^(domain|ports|engines|store|log|realtime|services|transports|main)\/.*\.ts$/.test(name));
  return [
    ...rooted.filter((name) => !existsSync(join(root, name))),
    ...sources.filter((name) => !existsSync(join(root, "packages/server/src", name))),
  ];
}
