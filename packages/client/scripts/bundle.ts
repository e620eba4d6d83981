import { fileURLToPath } from "node:url";
import { build } from "esbuild";

/**
 * Writes the client as one ESM file for browsers. An import of a Node module fails the build.
 * @returns the files that went into it
 */
export async function bundle(outfile: string): Promise<string[]> {
  const { metafile } = await build({
    entryPoints: [fileURLToPath(new URL("../src/index.ts", import.meta.url))],
    outfile,
    bundle: true,
    format: "esm",
    platform: "browser",
    target: "es2023",
    sourcemap: true,
    minify: true,
    metafile: true,
    logLevel: "error",
  });
  return Object.keys(metafile.inputs);
}
