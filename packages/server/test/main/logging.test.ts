import assert from "node:assert/strict";
import { test } from "node:test";
import { createLog } from "../../src/main/logging.ts";
import { securityLog } from "../../src/main/security-log.ts";

async function jsonLog(level: "debug" | "warn" = "debug") {
  const lines: string[] = [];
  const log = await createLog({ level, format: "json" }, { write: (line) => void lines.push(line) });
  return { log, lines, last: () => JSON.parse(lines.at(-1) ?? "null") as Record<string, unknown> };
}

test("a line is one JSON object with level, time, the child's fields and its own", async () => {
  const { log, last } = await jsonLog();
  log.child({ requestId: "r1" }).info({ room: "x" }, "Sent");
  const { time, ...rest } = last();
  assert.ok(!Number.isNaN(Date.parse(time as string)));
  assert.deepEqual(rest, { level: "info", requestId: "r1", room: "x", msg: "Sent" });
});

test("lines below the level are not written", async () => {
  const { log, lines } = await jsonLog("warn");
  log.info({}, "no");
  log.warn({}, "yes");
  assert.equal(lines.length, 1);
});

test("a secret is hidden under any telling name, at any depth, in children too", async () => {
  const { log, lines } = await jsonLog();
  const secret = "s3cr3t-value";
  const fields = {
    token: secret,
    headers: { Authorization: secret, cookie: secret, "set-cookie": [secret] },
    deep: [{ body: { refreshToken: secret, new_password: secret, passwordHash: secret, signingKey: { jwk: { d: secret } } } }],
    map: new Map([["apiKey", secret]]),
  };
  log.child({ accessToken: secret }).error({ ...fields, err: Object.assign(new Error("x"), { clientSecret: secret }) }, "Failed");
  assert.ok(!lines.join("").includes(secret));
});

test("a secret is hidden in the middle of a text", async () => {
  const { log, lines } = await jsonLog();
  const jwt = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl";
  log.info(
    { header: `Bearer ${jwt}`, url: `/x?access_token=${jwt}&a=1`, text: `it was ${jwt}` },
    `no connection to postgres://parlor:hunter2@db/x`,
  );
  assert.ok(!/eyJ|hunter2/.test(lines.join("")));
  assert.match(lines.join(""), /parlor:\[hidden\]@db/);
});

test("what only speaks about a secret is shown", async () => {
  const { log, last } = await jsonLog();
  log.info({ tokenId: "t1", token_expires_at: "2030", passwordsWaitMs: 3 }, "x");
  assert.deepEqual([last()["tokenId"], last()["token_expires_at"], last()["passwordsWaitMs"]], ["t1", "2030", 3]);
});

for (const format of ["json", "pretty"] as const) {
  test(`nobody can write lines of their own or move the cursor (${format})`, async () => {
    const lines: string[] = [];
    const log = await createLog({ level: "info", format }, { write: (line) => void lines.push(line) });
    const evil = 'bob\r\n{"level":"info"}\u001b[2J\u009b1A\u202e';
    log.child({ user: evil }).info({ name: evil, [evil]: 1, inner: { name: evil } }, evil);
    const text = lines.join("");
    assert.equal(text.split("\n").length, 2, text);
    assert.doesNotMatch(text, /[\p{Cc}--\n]|\u202e/v);
  });
}

test("an error's message cannot bring lines of its own into the stack", async () => {
  const { log, last } = await jsonLog();
  log.error({ err: new Error("a\n    at forged (file.ts:1:1)") }, "x");
  const { stack } = last()["err"] as { stack: string };
  assert.ok(!stack.split("\n").some((line) => line.startsWith("    at forged")));
});

test("what has no end, refers to itself or is foreign is written within bounds", async () => {
  const { log, lines } = await jsonLog();
  const loop: Record<string, unknown> = { big: 2n ** 80n, bytes: new Uint8Array(9), when: new Date(0), socket: new AbortController() };
  loop["self"] = loop;
  log.info({ loop, text: "x".repeat(1_000_000), list: Array.from({ length: 100_000 }, () => "y") }, "x");
  assert.ok((lines[0] ?? "").length < 20_000);
  assert.match(lines[0] ?? "", /\[9 bytes\].*\[AbortController\]/);
});

test("security events are lines of the log, the suspicious ones as warnings", async () => {
  const { log, last } = await jsonLog();
  const security = securityLog(log);
  const origin = { address: "192.0.2.1", protocol: "rest", requestId: "r1" } as const;
  security.record({ event: "sign_in_failed", userId: "u1", ...origin });
  const { time: _, ...failed } = last();
  assert.deepEqual(failed, { level: "warn", security: true, event: "sign_in_failed", userId: "u1", ...origin, msg: "sign in failed" });
  security.record({ event: "signed_in", userId: "u1", ...origin });
  assert.equal(last()["level"], "info");
});
