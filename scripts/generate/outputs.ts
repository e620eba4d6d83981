import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { asyncapi } from "./asyncapi.ts";
import { type Contract, readContract } from "./contract.ts";
import { undocumented } from "./documented.ts";
import { type Files, readFiles } from "./files.ts";
import { openapi } from "./openapi.ts";
import { reference } from "./reference.ts";
import { runTool } from "./tools.ts";

/** Folders in which every file is generated. */
export const owned = ["packages/contract/src/gen", "docs/reference"] as const;

/**
 * Everything that is generated from the proto files below `root`.
 * @param scratch an empty folder to work in
 * @throws Error when a declaration has no comment
 */
export function outputs(root: string, scratch: string): Files {
  const contract = readContract(root);
  demandComments(contract);
  const { version } = JSON.parse(readFileSync(join(root, "packages/contract/package.json"), "utf8")) as { version: string };
  runTool(root, "buf", ["generate", "--output", scratch]);
  const files = readFiles(scratch, "packages/contract/src/gen");
  const rest = json(openapi(contract, version));
  files.set("packages/contract/openapi.json", rest);
  files.set("packages/contract/openapi-types.d.ts", typesOf(rest, root, scratch));
  files.set("packages/contract/asyncapi.json", json(asyncapi(contract, version)));
  for (const [name, text] of Object.entries(reference(contract))) files.set(`docs/reference/${name}`, text);
  return files;
}

function demandComments(contract: Contract): void {
  const bare = undocumented(contract);
  if (bare.length > 0) throw new Error(`These need a comment in their proto file:\n${bare.map((name) => `  ${name}`).join("\n")}`);
}

const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;

/** TypeScript's types of an OpenAPI document. */
function typesOf(document: string, root: string, scratch: string): string {
  const [source, target] = [join(scratch, "openapi.json"), join(scratch, "openapi-types.d.ts")];
  writeFileSync(source, document);
  runTool(root, "openapi-typescript", [source, "--output", target]);
  return readFileSync(target, "utf8");
}
