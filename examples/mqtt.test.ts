// Runs a device's day, as docs/mqtt.md tells it.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { assertShown, blocksOf } from "./support/blocks.ts";
import { root } from "./support/root.ts";
import { startServer } from "./support/server.ts";
import { Terminal } from "./support/terminal.ts";

const isThere = existsSync("/usr/bin/mosquitto_rr");
const skip = isThere ? false : "no Mosquitto commands (Debian package mosquitto-clients)";
assert.ok(isThere || process.env["CI"] !== "true", String(skip));

test("a device's day is as docs/mqtt.md tells it", { skip, timeout: 120_000 }, async () => {
  await using server = await startServer();
  const terminal = new Terminal(server.folder, { ...server.env, HOME: server.folder });
  const blocks = blocksOf(readFileSync(join(root, "docs/mqtt.md"), "utf8"));
  const here = (text: string): string =>
    text.replaceAll("localhost:8080", `127.0.0.1:${server.port}`).replace("-h localhost -p 8080", `-h 127.0.0.1 -p ${server.port}`);
  let shared = "";
  for (const [index, { language, text, line }] of blocks.entries()) {
    if (language !== "bash") continue;
    // A function of the first block is there for all of them, as in one terminal.
    shared ||= /^read_json.*$/m.exec(text)?.[0] ?? "";
    const { code, stdout, stderr } = await terminal.run(`${shared}\n${here(text)}`);
    assert.equal(code, 0, `line ${line}: ${stdout}${stderr}`);
    const next = blocks[index + 1];
    if (next?.language === "text" || next?.language === "json") assertShown(next, stdout);
  }
});
