// Makes everything that comes from the proto files: code, OpenAPI and AsyncAPI documents, types for front ends, reference
// pages. With --check it changes nothing, and fails when anything that is there is not what would be made.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { differences, writeFiles } from "./generate/files.ts";
import { outputs, owned } from "./generate/outputs.ts";

const root = join(import.meta.dirname, "..");
const scratch = mkdtempSync(join(tmpdir(), "parlor-generate-"));
try {
  const files = outputs(root, scratch);
  if (process.argv.includes("--check")) check(differences(root, files, owned));
  else writeFiles(root, files, owned);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  rmSync(scratch, { recursive: true });
}

function check(wrong: readonly string[]): void {
  if (wrong.length === 0) return;
  console.error(
    `Not as the proto files say; run \`npm run generate\` and commit the result:\n${wrong.map((line) => `  ${line}`).join("\n")}`,
  );
  process.exitCode = 1;
}
