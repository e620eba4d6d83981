import assert from "node:assert/strict";
import { test } from "node:test";
import { Code, Reason, User_Role } from "@parlor/contract";
import { callFrom, minute, newcomer, refusal, startAuth } from "../support/auth.ts";
import { onEveryDatabase } from "../support/databases.ts";

onEveryDatabase("signing up and in", (current) => {
  test("whoever signs up is signed in, under a folded name", async () => {
    const node = await startAuth(current().store);
    const { user, tokens } = await node.auth.signUp({ username: "Ann.Lee", password: "correct horse battery", deviceName: "phone" });
    assert.equal(user?.username, "ann.lee");
    assert.equal(user?.displayName, "ann.lee");
    assert.equal(user?.role, User_Role.USER);
    const caller = await node.identities.verify(tokens?.accessToken ?? "");
    assert.equal(caller.userId, user?.id);
    assert.equal(caller.scopes, undefined);
    const again = await node.auth.logIn({ username: "ANN.LEE", password: "correct horse battery" });
    const other = await node.identities.verify(again.tokens?.accessToken ?? "");
    assert.equal(other.userId, user?.id);
    assert.notEqual(other.sessionId, caller.sessionId);
    assert.deepEqual(
      node.records.map((entry) => entry.event),
      ["signed_up", "signed_in"],
    );
  });

  test("of many who want a name at once, one gets it", async () => {
    const node = await startAuth(current().store);
    const attempts = Array.from({ length: 8 }, () => node.auth.signUp({ username: "wanted", password: "correct horse battery" }));
    const results = await Promise.allSettled(attempts);
    assert.equal(results.filter((result) => result.status === "fulfilled").length, 1);
    for (const result of results) if (result.status === "rejected") assert.equal(result.reason.reason, Reason.USERNAME_TAKEN);
    await refusal(node.auth.signUp({ username: "WANTED", password: "correct horse battery" }), Reason.USERNAME_TAKEN);
  });

  test("signing up can be switched off, and the operator still makes accounts", async () => {
    const node = await startAuth(current().store, { config: { signUp: false } });
    await refusal(node.auth.signUp({ username: "nobody", password: "correct horse battery" }), Reason.SIGN_UP_DISABLED);
    const made = await node.operator.createUser({ username: "Boss", password: "correct horse battery", role: User_Role.ADMIN });
    assert.equal(made.username, "boss");
    assert.equal((await node.auth.logIn({ username: "boss", password: "correct horse battery" })).user?.role, User_Role.ADMIN);
    const error = await refusal(
      node.operator.createUser({ username: "!", password: "short", role: User_Role.USER }),
      Reason.INVALID_FIELDS,
    );
    assert.deepEqual(
      error.violations.map((violation) => violation.field),
      ["username", "password"],
    );
  });

  test("common passwords are refused, and what bcrypt would cut", async () => {
    const node = await startAuth(current().store);
    for (const password of ["password", "Password1", "QWERTYUIOP", "iloveyou", "a".repeat(73), "é".repeat(37), "long enough\0 but"]) {
      const error = await refusal(node.auth.signUp({ username: "weak", password }), Reason.INVALID_FIELDS);
      assert.deepEqual(
        error.violations.map((violation) => violation.field),
        ["password"],
      );
    }
    const whole = "x".repeat(72);
    await node.auth.signUp({ username: "strong", password: whole });
    await node.auth.logIn({ username: "strong", password: whole });
    for (const password of [`${whole}y`, "x".repeat(71), `${"x".repeat(71)}\0`]) {
      await refusal(node.auth.logIn({ username: "strong", password }), Reason.BAD_CREDENTIALS);
    }
  });

  test("a wrong password, an unknown name and a closed account get the same answer and the same work", async () => {
    const node = await startAuth(current().store);
    const open = await newcomer(node);
    const closed = await newcomer(node);
    await node.operator.deactivate(closed.username);
    const attempts = [
      { username: open.username, password: "wrong password" },
      { username: "no-such-name", password: "wrong password" },
      { username: "' OR 1=1--", password: "wrong password" },
      { username: closed.username, password: closed.password },
      { username: closed.username, password: "wrong password" },
    ];
    const answers = [];
    for (const attempt of attempts) {
      const before = node.hashing.completed;
      const error = await refusal(node.auth.logIn(attempt), Reason.BAD_CREDENTIALS);
      assert.equal(node.hashing.completed - before, 1);
      answers.push([error.code, error.message, error.violations, error.retryAfterMs]);
    }
    for (const answer of answers) assert.deepEqual(answer, answers[0]);
    assert.equal(answers[0]?.[0], Code.UNAUTHENTICATED);
  });

  test("ten failures lock one address out of one account, for every protocol, and nobody else", async () => {
    const node = await startAuth(current().store);
    const ann = await newcomer(node);
    const bob = await newcomer(node);
    const elsewhere = callFrom(undefined, { address: "198.51.100.7" });
    for (const name of [ann.username, "no-such-name"]) {
      const right = { username: name, password: ann.password };
      const wrong = { username: name, password: "wrong password" };
      const protocols = ["rest", "grpc", "websocket", "mqtt"] as const;
      for (let i = 0; i < 10; i++)
        await refusal(node.auth.logIn(wrong, callFrom(undefined, { protocol: protocols[i % 4] ?? "rest" })), Reason.BAD_CREDENTIALS);
      const done = node.hashing.completed;
      const error = await refusal(node.auth.logIn(right), Reason.TOO_MANY_ATTEMPTS);
      assert.equal(error.code, Code.RESOURCE_EXHAUSTED);
      assert.equal(error.retryAfterMs, 15 * minute);
      assert.equal(node.hashing.completed, done);
    }
    assert.ok((await node.auth.logIn({ username: ann.username, password: ann.password }, elsewhere)).tokens);
    assert.ok((await node.auth.logIn({ username: bob.username, password: bob.password })).tokens);
    assert.equal(node.records.filter((entry) => entry.event === "sign_in_locked").length, 2);
    node.clock.advance(15 * minute);
    assert.ok((await node.auth.logIn({ username: ann.username, password: ann.password })).tokens);
  });

  test("failures do not slip through together, and a right password forgives those before it", async () => {
    const node = await startAuth(current().store);
    const { username, password } = await newcomer(node);
    for (let i = 0; i < 9; i++) await refusal(node.auth.logIn({ username, password: "wrong password" }), Reason.BAD_CREDENTIALS);
    await node.auth.logIn({ username, password });
    const reasons = await Promise.all(
      Array.from({ length: 30 }, () => node.auth.logIn({ username, password: "wrong password" }).catch((error) => error.reason)),
    );
    assert.equal(reasons.filter((reason) => reason === Reason.BAD_CREDENTIALS).length, 10);
    assert.equal(reasons.filter((reason) => reason === Reason.TOO_MANY_ATTEMPTS).length, 20);
  });

  test("right passwords are not counted, however many come at once", async () => {
    const node = await startAuth(current().store);
    const { username, password } = await newcomer(node);
    const answers = await Promise.all(Array.from({ length: 50 }, () => node.auth.logIn({ username, password })));
    assert.equal(new Set(answers.map((answer) => answer.tokens?.refreshToken)).size, 50);
  });

  test("with rate limits off nobody is locked out", async () => {
    const node = await startAuth(current().store, { config: { rateLimits: false } });
    const { username, password } = await newcomer(node);
    for (let i = 0; i < 15; i++) await refusal(node.auth.logIn({ username, password: "wrong password" }), Reason.BAD_CREDENTIALS);
    assert.ok((await node.auth.logIn({ username, password })).tokens);
  });

  test("more log-ins than can wait are refused with a time to come back", async () => {
    const node = await startAuth(current().store, { config: { hashQueue: 3 } });
    const { username, password } = await newcomer(node);
    const answers = await Promise.allSettled(Array.from({ length: 20 }, () => node.auth.logIn({ username, password })));
    const refused = answers.filter((answer) => answer.status === "rejected").map((answer) => answer.reason);
    assert.ok(refused.length > 0 && refused.length < 20);
    for (const error of refused) {
      assert.equal(error.reason, Reason.OVERLOADED);
      assert.ok(error.retryAfterMs > 0);
    }
    assert.ok((await node.auth.logIn({ username, password })).tokens);
  });

  test("a changed password ends the other sessions and API tokens, and the old one is worth nothing", async () => {
    const node = await startAuth(current().store);
    const { username, password, call, caller, id } = await newcomer(node);
    const other = (await node.auth.logIn({ username, password })).tokens;
    const token = await node.auth.createApiToken({ name: "bot", scopes: [1] }, call);
    const ended: unknown[] = [];
    node.identities.onEnded((event) => ended.push(...(event.sessionIds ?? [])));
    await refusal(
      node.auth.changePassword({ currentPassword: "wrong password", newPassword: "another horse battery" }, call),
      Reason.BAD_CREDENTIALS,
    );
    const weak = await refusal(
      node.auth.changePassword({ currentPassword: password, newPassword: "password123" }, call),
      Reason.INVALID_FIELDS,
    );
    assert.equal(weak.violations[0]?.field, "new_password");
    await node.auth.changePassword({ currentPassword: password, newPassword: "another horse battery" }, call);
    assert.equal(
      (await node.identities.verify((await node.auth.logIn({ username, password: "another horse battery" })).tokens?.accessToken ?? ""))
        .userId,
      id,
    );
    await refusal(node.identities.verify(other?.accessToken ?? ""), Reason.SESSION_REVOKED);
    await refusal(node.identities.verify(token.token), Reason.SESSION_REVOKED);
    await refusal(node.auth.refreshTokens({ refreshToken: other?.refreshToken ?? "" }), Reason.SESSION_REVOKED);
    await refusal(node.auth.logIn({ username, password }), Reason.BAD_CREDENTIALS);
    assert.equal(ended.length, 2);
    assert.ok(!ended.includes(caller.sessionId));
  });

  test("of two password changes at once, one has the password that is in force", async () => {
    const node = await startAuth(current().store);
    const { password, call } = await newcomer(node);
    const change = (newPassword: string) => node.auth.changePassword({ currentPassword: password, newPassword }, call);
    const results = await Promise.allSettled([change("first horse battery"), change("second horse battery")]);
    assert.deepEqual(results.map((result) => result.status).sort(), ["fulfilled", "rejected"]);
  });
});
