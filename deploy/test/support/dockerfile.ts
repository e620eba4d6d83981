// Follows a Dockerfile without Docker, as far as ours goes: every stage is a folder that stands for the root of its file system.
import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, posix } from "node:path";
import { type Copy, DockerfileParser, type Env, type From, type Instruction } from "dockerfile-ast";
import { buildContext } from "./dockerignore.ts";

export interface Image extends Disposable {
  /** The folder that stands for `/`. */
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
  readonly workdir: string;
  readonly user: string;
  readonly stopSignal: string;
  readonly command: readonly string[];
  readonly healthcheck: readonly string[];
}

type Stage = { -readonly [K in keyof Omit<Image, keyof Disposable>]: Image[K] };

/** A file of the image as a path of this machine; what the base image brings is this machine's own. */
export function inImage(folder: string, text: string): string {
  return text.replaceAll(/(?<![\w.-])\/(app|data)(?![\w-])/g, (path) => join(folder, path));
}

function copyInto(stage: Stage, instruction: Copy, context: Source): void {
  const paths = instruction.getArguments().map((argument) => argument.getValue());
  const target = paths.pop() ?? "";
  const from = instruction.getFromFlag()?.getValue();
  const into = join(stage.folder, posix.resolve(stage.workdir, target));
  for (const path of paths) {
    if (from !== null && from !== undefined)
      cpSync(join(context.stages.get(from)?.folder ?? "", path), into, { recursive: true, verbatimSymlinks: true });
    else copyFromContext(path, into, target.endsWith("/"), context);
  }
}

/** @throws Error when the build context does not have it */
function copyFromContext(path: string, into: string, intoFolder: boolean, { root, files }: Source): void {
  const found = files.filter((file) => file === path || file.startsWith(`${path}/`));
  if (found.length === 0) throw new Error(`COPY ${path}: .dockerignore lets nothing of it through, or it is not there`);
  for (const file of found) {
    const inner = file === path ? (intoFolder ? posix.basename(file) : "") : file.slice(path.length + 1);
    mkdirSync(dirname(join(into, inner)), { recursive: true });
    cpSync(join(root, file), join(into, inner));
  }
}

function runIn(stage: Stage, command: string): void {
  const { status, stdout, stderr } = spawnSync("sh", ["-euc", inImage(stage.folder, command)], {
    cwd: join(stage.folder, stage.workdir),
    encoding: "utf8",
    timeout: 300_000,
  });
  if (status !== 0) throw new Error(`RUN ${command}\n${stdout}${stderr}`);
}

interface Source {
  readonly root: string;
  readonly files: readonly string[];
  readonly stages: Map<string, Stage>;
}

/** Builds the image of a folder's Dockerfile. What needs rights that this process lacks (chown) fails the build. */
export function buildImage(root: string, text: string): Image {
  const folder = mkdtempSync(join(tmpdir(), "parlor-image-"));
  // Others must be able to go through.
  chmodSync(folder, 0o755);
  const source: Source = { root, files: buildContext(root), stages: new Map() };
  let stage: Stage | undefined;
  for (const instruction of DockerfileParser.parse(text).getInstructions()) {
    const keyword = instruction.getKeyword();
    if (keyword === "FROM") stage = openStage(source, folder, (instruction as From).getBuildStage());
    else if (stage) steps[keyword]?.(stage, instruction, source);
  }
  if (!stage) throw new Error("the Dockerfile has no stage");
  return { ...stage, [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }) };
}

function openStage({ stages }: Source, folder: string, name: string | null): Stage {
  const stage: Stage = {
    folder: join(folder, name ?? "final"),
    env: {},
    workdir: "/",
    user: "0:0",
    stopSignal: "",
    command: [],
    healthcheck: [],
  };
  mkdirSync(stage.folder);
  stages.set(name ?? "final", stage);
  return stage;
}

const steps: Readonly<Record<string, (stage: Stage, instruction: Instruction, source: Source) => void>> = {
  WORKDIR(stage, instruction) {
    stage.workdir = textOf(instruction);
    mkdirSync(join(stage.folder, stage.workdir), { recursive: true });
  },
  COPY: (stage, instruction, source) => copyInto(stage, instruction as Copy, source),
  RUN: (stage, instruction) => runIn(stage, textOf(instruction).replace(/^(--\S+\s+)+/, "")),
  ENV(stage, instruction) {
    const pairs = (instruction as Env).getProperties().map((property) => [property.getName(), property.getValue() ?? ""]);
    stage.env = { ...stage.env, ...Object.fromEntries(pairs) };
  },
  USER(stage, instruction) {
    stage.user = textOf(instruction);
  },
  STOPSIGNAL(stage, instruction) {
    stage.stopSignal = textOf(instruction);
  },
  HEALTHCHECK(stage, instruction) {
    stage.healthcheck = JSON.parse(textOf(instruction).replace(/^.*?(?=\[)/, "")) as string[];
  },
  ENTRYPOINT: addCommand,
  CMD: addCommand,
};

function addCommand(stage: Stage, instruction: Instruction): void {
  stage.command = [...stage.command, ...(JSON.parse(textOf(instruction)) as string[])];
}

function textOf(instruction: Instruction): string {
  return instruction.getArgumentsContent() ?? "";
}
