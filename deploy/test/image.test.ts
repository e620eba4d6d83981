// The Dockerfile: read by a validator, and followed step by step into a folder from which the server then runs as nobody.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { DockerfileParser } from "dockerfile-ast";
import { validate } from "dockerfile-utils";
import { Container } from "./support/container.ts";
import { buildImage, type Image } from "./support/dockerfile.ts";
import { buildContext } from "./support/dockerignore.ts";
import { readText, root } from "./support/root.ts";

const text = readText("Dockerfile");

test("the Dockerfile is valid", () => {
  assert.deepEqual(validate(text), []);
  const names = DockerfileParser.parse(text)
    .getInstructions()
    .map((instruction) => instruction.getKeyword());
  for (const expected of ["USER", "HEALTHCHECK", "STOPSIGNAL", "ENTRYPOINT"]) assert.ok(names.includes(expected), expected);
  assert.ok(!names.includes("ADD"), "COPY says all that is needed");
});

test("the build sees the sources, and neither tests, data, secrets nor what is installed", () => {
  const files = buildContext(root);
  for (const expected of ["package-lock.json", ".npmrc", "packages/cli/src/parlor.ts", "packages/contract/openapi.json"])
    assert.ok(files.includes(expected), expected);
  const unwanted = files.filter((file) => /(^|\/)(node_modules|test|\.git|\.env|data)(\/|$)|\.test\.ts$/.test(file));
  assert.deepEqual(unwanted, []);
});

const skip = process.getuid?.() === 0 ? false : "only root can build it and give it to another user";
if (process.env["CI"]) assert.equal(skip, false);

let image: Image;
before(() => {
  if (skip) return;
  image = buildImage(root, text);
  // The base image brings Node.
  const bin = join(image.folder, "usr/local/bin");
  mkdirSync(bin, { recursive: true });
  cpSync(process.execPath, join(bin, "node"));
});
after(() => image?.[Symbol.dispose]());

test("only production dependencies are in it", { skip }, () => {
  const list = spawnSync("find", [join(image.folder, "app/node_modules"), "-maxdepth", "2", "-name", "typescript*"], { encoding: "utf8" });
  assert.equal(list.stdout, "");
  const kib = Number(spawnSync("du", ["-sk", join(image.folder, "app")], { encoding: "utf8" }).stdout.split("\t")[0]);
  assert.ok(kib < 128 * 1024, `${Math.round(kib / 1024)} MiB`);
});

test("it serves as nobody from what it cannot write to, is healthy, and ends at its stop signal", { skip, timeout: 60_000 }, async () => {
  spawnSync("chmod", ["-R", "a-w", join(image.folder, "app")]);
  await using container = new Container(image, { PORT: "0", HOST: "127.0.0.1" });
  const port = await container.ready();
  const health = await container.exec(image.healthcheck, { PORT: port });
  assert.deepEqual(health, { code: 0, stdout: "healthy\n", stderr: "" });
  assert.equal((await container.exec(["parlor", "user", "create", "ada", "--admin", "--password-stdin"], {}, "a green balloon")).code, 0);
  const { code, stderr } = await container.stop();
  assert.equal(code, 0, stderr);
});
