import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

/** Generated files by their paths below the root, with "/" between the parts. */
export type Files = ReadonlyMap<string, string>;

/** The files below `folder`, by their paths below `root`; none when it does not exist. */
export function readFiles(root: string, folder: string): Map<string, string> {
  const files = new Map<string, string>();
  for (const path of listFiles(join(root, folder))) files.set(relative(root, path).replaceAll("\\", "/"), readFileSync(path, "utf8"));
  return files;
}

function listFiles(folder: string): string[] {
  try {
    return readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

/** What is wrong with the files that are there, of which `owned` may hold nothing but the generated ones. */
export function differences(root: string, files: Files, owned: readonly string[]): readonly string[] {
  const wrong = [...files].flatMap(([path, text]) => {
    const current = readOrNothing(join(root, path));
    return current === text ? [] : [current === undefined ? `${path} is missing` : `${path} differs`];
  });
  return [...wrong, ...stale(root, files, owned).map((path) => `${path} is not generated any more`)];
}

export function writeFiles(root: string, files: Files, owned: readonly string[]): void {
  for (const path of stale(root, files, owned)) rmSync(join(root, path));
  for (const [path, text] of files) {
    if (readOrNothing(join(root, path)) === text) continue;
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
}

const stale = (root: string, files: Files, owned: readonly string[]): string[] =>
  owned.flatMap((folder) => [...readFiles(root, folder).keys()]).filter((path) => !files.has(path));

function readOrNothing(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
