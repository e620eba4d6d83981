// The build for browsers: one file, nothing of Node in it, and it works.
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { builtinModules } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { bundle } from "../scripts/bundle.ts";
import { ROOM, sent } from "./support/events.ts";
import { WireServer } from "./support/wire-server.ts";

let folder: string;
let file: string;
let inputs: string[];

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "parlor-client-"));
  file = join(folder, "parlor.mjs");
  inputs = await bundle(file);
});

after(() => rm(folder, { recursive: true }));

test("the bundle is made of the client, the contract and protobuf alone", () => {
  const strangers = inputs.filter((input) => !/(^|\/)(client\/src|src|contract\/src|node_modules\/@bufbuild\/protobuf)\//.test(input));
  assert.deepEqual(strangers, []);
});

test("the bundle imports nothing, and nothing of Node", async () => {
  const code = await readFile(file, "utf8");
  assert.doesNotMatch(code, /\bnode:/);
  assert.doesNotMatch(code, /\b(?:import|require)\s*\(/);
  assert.doesNotMatch(code, /\bfrom\s*["']/);
  for (const name of builtinModules) assert.ok(!code.includes(`require("${name}")`), name);
});

test("the bundle works", async () => {
  const { ParlorClient } = (await import(pathToFileURL(file).href)) as typeof import("../src/index.ts");
  await using server = await WireServer.start();
  using client = new ParlorClient({ url: server.url, token: "token" });
  const events = client.events();
  const connected = client.connect();
  const peer = await server.accept();
  await peer.hello();
  peer.welcome([{ roomId: ROOM, lastSeq: 0 }], { events: [sent(1)] });
  await connected;
  const { value } = await events.next();
  assert.equal(value?.seq, 1);
});
