// Builds dist/: the client with all that it needs as one ESM file for browsers, and its types.
import { execFileSync } from "node:child_process";
import { cpSync, globSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { bundle } from "./bundle.ts";

const root = join(import.meta.dirname, "..");
const types = join(root, "dist/types");
const contract = join(types, "contract/src");

rmSync(join(root, "dist"), { recursive: true, force: true });
await bundle(join(root, "dist/parlor.js"));
execFileSync("tsc", ["-p", join(root, "tsconfig.build.json")], { stdio: "inherit" });
cpSync(join(root, "../contract/src/gen"), join(contract, "gen"), { recursive: true, filter: (source) => !source.endsWith(".js") });
for (const file of globSync("client/**/*.d.ts", { cwd: types })) bringContractNear(join(types, file));

/** The types stand alone: those of the contract are beside them, for the package `@parlor/contract` holds TypeScript sources. */
function bringContractNear(file: string): void {
  const path = relative(dirname(file), join(contract, "index.d.ts")).replace(/\.d\.ts$/, ".js");
  writeFileSync(file, readFileSync(file, "utf8").replaceAll('"@parlor/contract"', JSON.stringify(path)));
}
