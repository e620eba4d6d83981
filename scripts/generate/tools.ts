import { execFileSync } from "node:child_process";
import { delimiter, join } from "node:path";

/**
 * Runs an installed tool of the workspace, which finds the others of its folder, and gives back what it wrote.
 * @throws Error when it fails; what it said of it has been shown
 */
export function runTool(root: string, tool: string, args: readonly string[], workspace = "."): Buffer {
  const folder = join(root, workspace, "node_modules/.bin");
  const env = { ...process.env, PATH: `${folder}${delimiter}${process.env["PATH"] ?? ""}` };
  return execFileSync(join(folder, tool), args, { cwd: root, env, stdio: ["ignore", "pipe", "inherit"], maxBuffer: 1 << 26 });
}
