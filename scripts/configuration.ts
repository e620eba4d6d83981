// Writes docs/configuration.md from the schema of the settings; with --check, says whether it is up to date.
import { readFileSync, writeFileSync } from "node:fs";
import { configurationPage } from "../packages/server/src/main/config-reference.ts";

const page = new URL("../docs/configuration.md", import.meta.url);

function current(): string {
  try {
    return readFileSync(page, "utf8");
  } catch {
    return "";
  }
}

if (!process.argv.includes("--check")) writeFileSync(page, configurationPage());
else if (current() !== configurationPage()) {
  console.error("docs/configuration.md is not what the schema says. Run: node scripts/configuration.ts");
  process.exitCode = 1;
}
