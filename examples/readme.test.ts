// Runs what the README tells people to run, in its order, against `npm start` on a free port:
// - `bash` and `js` blocks run to their end, and write what the `text` or `json` block after them shows;
// - `console` blocks are a command after "$ " and what it writes, until it is interrupted;
// - `sh` blocks are not run here: they are the commands that this test and the gate are started with.
import assert from "node:assert/strict";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { test } from "node:test";
import { assertShown, type Block, blocksOf, patternOf } from "./support/blocks.ts";
import { type Env, type Outcome, run } from "./support/processes.ts";
import { root } from "./support/root.ts";
import { type ExampleServer, startServer } from "./support/server.ts";
import { Terminal } from "./support/terminal.ts";

const blocks = blocksOf(readFileSync(join(root, "README.md"), "utf8"));

test("the README's two commands are there", () => {
  const [first] = blocks;
  const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { readonly scripts: Env };
  assert.equal(first?.text.match(/npm ci && npm (start|test)/g)?.length, 2);
  assert.ok(scripts["start"] && scripts["test"]);
});

test("what the README shows is what happens", { timeout: 120_000 }, async () => {
  await using server = await startServer();
  const reader = new Reader(server);
  for (const [index, block] of blocks.entries()) {
    const next = blocks[index + 1];
    const shown = next?.language === "text" || next?.language === "json" ? next : undefined;
    await reader.follow(block, shown);
  }
  assert.equal(reader.steps, 6);
});

/** Someone who types in one block after the other, at one terminal. */
class Reader {
  steps = 0;
  readonly #server: ExampleServer;
  readonly #terminal: Terminal;

  constructor(server: ExampleServer) {
    this.#server = server;
    this.#terminal = new Terminal(server.folder, { ...server.env, PATH: [tools(server.folder), process.env["PATH"]].join(delimiter) });
  }

  async follow(block: Block, shown: Block | undefined): Promise<void> {
    if (!["bash", "js", "console"].includes(block.language)) return;
    this.steps++;
    if (block.language === "console") return this.#watch(block);
    const text = this.#here(block.text);
    const { code, stdout, stderr } = await (block.language === "bash" ? this.#terminal.run(text) : this.#node(text));
    assert.equal(code, 0, `line ${block.line}: ${stdout}${stderr}`);
    if (shown) assertShown({ ...shown, text: this.#here(shown.text) }, stdout);
  }

  async #watch({ text, line }: Block): Promise<void> {
    const [, command = "", shown = ""] = /^\$ (.*?)\n(.*)$/s.exec(this.#here(text)) ?? [];
    assert.ok(command, `line ${line}`);
    await using program = this.#terminal.start(command);
    await program.until(patternOf(shown));
    await program.stop("SIGINT");
  }

  #node(script: string): Promise<Outcome> {
    return run(process.execPath, ["--input-type=module", "-"], { cwd: root, env: this.#terminal.env, input: script });
  }

  /** A text about port 8080 as one about this server. */
  #here(text: string): string {
    return text.replaceAll("localhost:8080", `127.0.0.1:${this.#server.port}`);
  }
}

/** A folder with the commands that a reader may have to install. */
function tools(folder: string): string {
  const bin = join(folder, "bin");
  mkdirSync(bin);
  writeFileSync(join(bin, "grpcurl"), `#!/bin/sh\nexec '${process.execPath}' '${join(root, "examples/support/grpcurl.ts")}' "$@"\n`);
  chmodSync(join(bin, "grpcurl"), 0o755);
  return bin;
}
