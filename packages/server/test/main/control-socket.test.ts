import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, describe, test } from "node:test";
import { loadConfig } from "../../src/main/config.ts";
import { type ControlSocket, controlSocketPath, listenControl } from "../../src/main/control-socket.ts";
import { type DirectAdmin, openAdmin } from "../../src/main/open-admin.ts";
import { noLog } from "../../src/ports/log.ts";

const folder = mkdtempSync(join(tmpdir(), "parlor-control-"));
let direct: DirectAdmin;
let socket: ControlSocket;

before(async () => {
  direct = await openAdmin(loadConfig({ PARLOR_DATA_DIR: folder, PARLOR_BCRYPT_COST: "4" }));
  socket = await listenControl(folder, direct.admin, noLog);
});

after(async () => {
  await socket.close();
  await direct.close();
  assert.ok(!existsSync(controlSocketPath(folder)), "the socket goes with the server");
  rmSync(folder, { recursive: true });
});

/** What the socket answers to these bytes; nothing when it cuts the connection. */
async function said(bytes: string): Promise<string> {
  const client = connect(controlSocketPath(folder));
  client.write(bytes);
  return text(client).catch(() => "");
}

interface Answer {
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly code: string; readonly reason: string };
}

async function ask(command: string, request: unknown): Promise<Answer> {
  return JSON.parse(await said(`${JSON.stringify({ command, request })}\n`)) as Answer;
}

describe("the control socket", () => {
  test("nobody but its owner may open it", () => {
    assert.equal(statSync(socket.path).mode & 0o777, 0o600);
  });

  test("is there also where nothing has made the folder yet, and nobody else may look into that", async () => {
    const fresh = join(folder, "not", "made");
    const other = await listenControl(fresh, direct.admin, noLog);
    assert.equal(statSync(fresh).mode & 0o777, 0o700);
    await other.close();
  });

  test("runs the operator's commands", async () => {
    const made = await ask("createUser", { username: "alice", password: "correct horse 9", role: "ADMIN" });
    assert.equal(made.result?.["username"], "alice");
    const { result } = await ask("listUsers", {});
    assert.deepEqual(Object.keys(result ?? {}), ["users"]);
  });

  test("a refusal comes as the contract's error", async () => {
    const { error } = await ask("deactivate", { username: "nobody" });
    assert.deepEqual([error?.code, error?.reason], ["NOT_FOUND", "NOT_EXISTING"]);
  });

  test("anything else is refused, and the next one is served", async () => {
    const bad = [
      "\n",
      "{\n",
      "null\n",
      "[]\n",
      '"createUser"\n',
      '{"command":"constructor","request":{}}\n',
      '{"command":"__proto__","request":{}}\n',
      '{"command":"listUsers"}\n',
    ];
    for (const line of bad) {
      const { error } = JSON.parse(await said(line)) as Answer;
      assert.deepEqual([error?.code, error?.reason], ["INVALID_ARGUMENT", "MALFORMED"], line);
    }
    assert.ok((await ask("listUsers", {})).result);
  });

  test("a line without end is cut off", async () => {
    assert.equal(await said("x".repeat(200_000)), "");
    assert.ok((await ask("listUsers", {})).result);
  });

  test("a second server on the same folder is refused", async () => {
    await assert.rejects(listenControl(folder, direct.admin, noLog), /Another server is running/);
    assert.ok((await ask("listUsers", {})).result, "the first one goes on");
  });

  test("what a dead server left behind is taken over", async () => {
    const left = mkdtempSync(join(tmpdir(), "parlor-left-"));
    writeFileSync(join(left, "parlor.sock"), "");
    const taken = await listenControl(left, direct.admin, noLog);
    await taken.close();
    rmSync(left, { recursive: true });
  });
});
