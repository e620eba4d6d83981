// Kubernetes objects against Kubernetes' own schemas, twice: `kubernetes-models` validates values (required, formats, ranges), and its
// types, by the compiler, refuse fields that Kubernetes does not know.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import { root } from "./root.ts";

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly labels?: Readonly<Record<string, string>>;
  };
  readonly spec?: Readonly<Record<string, unknown>>;
}

export function manifestsOf(text: string): Manifest[] {
  const documents = parseAllDocuments(text, { merge: true });
  if (!Array.isArray(documents)) return [];
  return documents
    .map((document) => {
      if (document.errors.length > 0) throw document.errors[0];
      return document.toJS() as Manifest;
    })
    .filter((manifest) => manifest !== null);
}

function moduleOf({ apiVersion, kind }: Manifest): string {
  const owner = apiVersion.startsWith("monitoring.coreos.com/") ? "@kubernetes-models/prometheus-operator" : "kubernetes-models";
  return `${owner}/${apiVersion}/${kind}`;
}

interface Model {
  validate(): void;
}

/** @throws Error that says what is wrong with which object */
export async function validateManifests(manifests: readonly Manifest[]): Promise<void> {
  for (const manifest of manifests) {
    const models = (await import(moduleOf(manifest))) as Readonly<Record<string, new (data: Manifest) => Model>>;
    const model = models[manifest.kind];
    if (!model) throw new Error(`Kubernetes has no ${manifest.apiVersion} ${manifest.kind}`);
    try {
      new model(manifest).validate();
    } catch (error) {
      throw new Error(`${manifest.kind} ${manifest.metadata.name}: ${(error as Error).message}`);
    }
  }
}

/** @returns what the compiler says of the objects as values of Kubernetes' types; empty when all is well */
export function compileManifests(manifests: readonly Manifest[]): string {
  const cache = join(root, "node_modules/.cache/parlor");
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, "manifests-"));
  const file = join(folder, "manifests.ts");
  const lines = manifests.flatMap((manifest, index) => [
    `import type { I${manifest.kind} as T${index} } from "${moduleOf(manifest)}";`,
    `export const ${manifest.kind.toLowerCase()}${index}: T${index} = ${JSON.stringify(manifest, null, 2)};`,
  ]);
  try {
    writeFileSync(file, lines.join("\n"));
    const compiler = join(root, "node_modules/typescript-7/bin/tsc");
    const options = [
      "--ignoreConfig",
      "--noEmit",
      "--strict",
      "--skipLibCheck",
      "--module",
      "nodenext",
      "--target",
      "es2024",
      "--types",
      "",
    ];
    return spawnSync(process.execPath, [compiler, ...options, file], { encoding: "utf8", cwd: folder }).stdout;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
