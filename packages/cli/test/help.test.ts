import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import type { Command } from "commander";
import { program } from "../src/program.ts";
import { parlor } from "./support/cli.ts";

function everyCommand(command: Command): Command[] {
  return [command, ...command.commands.filter((child) => child.name() !== "help").flatMap(everyCommand)];
}

function helpOf(command: Command): string {
  let text = "";
  command.configureOutput({ writeOut: (piece) => (text += piece) }).outputHelp();
  return text;
}

test("every command explains itself, with an example", async () => {
  for (const command of everyCommand(await program(["--help"])).slice(1)) {
    assert.notEqual(command.description(), "", command.name());
    assert.match(helpOf(command), /\nExamples?:\n {2}\S/, command.name());
  }
});

test("the help of the whole names commands, environment and exit codes", async () => {
  const { code, stdout } = await parlor(["--help"]);
  assert.equal(code, 0);
  for (const expected of ["serve", "migrate", "user", "token", "key", "login", "send", "tail", "PARLOR_TOKEN", "Exit codes:"])
    assert.ok(stdout.includes(expected), expected);
});

test("the help of serve names every setting of the server", async () => {
  const { code, stdout } = await parlor(["serve", "--help"]);
  assert.equal(code, 0);
  assert.match(stdout, /^ {2}PARLOR_HEARTBEAT \(25s\)$/m);
});

test("the version is that of the package", async () => {
  const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as { version: string };
  assert.deepEqual(await parlor(["--version"]), { code: 0, stdout: `${version}\n`, stderr: "" });
});

test("a wrong word is refused with the one that was probably meant", async () => {
  const command = await parlor(["tial", "general"]);
  assert.equal(command.code, 2);
  assert.match(command.stderr, /unknown command 'tial'\n\(Did you mean tail\?\)/);
  const option = await parlor(["tail", "general", "--jsno"]);
  assert.equal(option.code, 2);
  assert.match(option.stderr, /Did you mean --json\?.*parlor tail --help/s);
});

test("without a command, the help goes to standard error", async () => {
  const { code, stdout, stderr } = await parlor([]);
  assert.deepEqual([code, stdout], [2, ""]);
  assert.match(stderr, /^Usage: parlor/);
});

test("a wrong configuration is named as a whole, before anything starts", async () => {
  const { code, stdout, stderr } = await parlor(["serve"], { PORT: "eighty", PARLOR_HARTBEAT: "1s" });
  assert.deepEqual([code, stdout], [2, ""]);
  assert.match(stderr, /PORT must be a whole number/);
  assert.match(stderr, /Did you mean PARLOR_HEARTBEAT\?/);
});

test("a password cannot be an argument", async () => {
  const { code, stderr } = await parlor(["user", "create", "alice", "--password", "secret-word"]);
  assert.equal(code, 2);
  assert.match(stderr, /unknown option '--password'/);
});
