import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { allSettings } from "../../src/main/config.ts";
import { configurationHelp, configurationPage } from "../../src/main/config-reference.ts";

test("docs/configuration.md is what the schema says", () => {
  const page = readFileSync(new URL("../../../../docs/configuration.md", import.meta.url), "utf8");
  assert.equal(page, configurationPage(), "run: node scripts/configuration.ts");
});

test("the help names every setting on lines that fit a terminal", () => {
  const help = configurationHelp();
  for (const { variable } of allSettings) assert.ok(help.includes(`\n  ${variable}`), variable);
  assert.ok(help.split("\n").every((line) => line.length <= 100));
});
