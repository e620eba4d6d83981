// Checks asyncapi.json with AsyncAPI's own parser.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Parser } from "@asyncapi/parser";

const SEVERITIES = ["error", "warning", "information", "hint"];

const source = readFileSync(join(import.meta.dirname, "../packages/contract/asyncapi.json"), "utf8");
const { diagnostics } = await new Parser().parse(source);
for (const { severity, path, message } of diagnostics)
  console.error(`asyncapi.json: ${SEVERITIES[severity]}: ${path.join(".")}: ${message}`);
if (diagnostics.some(({ severity }) => severity <= 1)) process.exitCode = 1;
