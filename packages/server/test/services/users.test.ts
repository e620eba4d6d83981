import assert from "node:assert/strict";
import { test } from "node:test";
import { Goodbye_Reason, Reason, User_Role } from "@parlor/contract";
import { type Node, newcomer, refusal, startAuth } from "../support/auth.ts";
import { onEveryDatabase } from "../support/databases.ts";

const nobody = "01890000-0000-7000-8000-000000000000";

async function search(node: Node, call: Parameters<Node["users"]["getMe"]>[1], query: string, pageSize = 0): Promise<string[]> {
  const found: string[] = [];
  let pageToken = "";
  do {
    const page = await node.users.searchUsers({ query, pageSize, pageToken }, call);
    assert.ok(page.users.length <= (pageSize || 50));
    found.push(...page.users.map((user) => user.username));
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return found;
}

onEveryDatabase("profiles", (current) => {
  test("one sees and changes one's own profile; what is left out stays", async () => {
    const node = await startAuth(current().store);
    const { call, user } = await newcomer(node);
    assert.deepEqual((await node.users.getMe({}, call)).user, user);
    const changed = await node.users.updateProfile({ displayName: "Ann ⛵", avatarUrl: "https://example.org/ann.png" }, call);
    assert.deepEqual(
      [changed.user?.displayName, changed.user?.bio, changed.user?.avatarUrl],
      ["Ann ⛵", "", "https://example.org/ann.png"],
    );
    await node.users.updateProfile({ bio: "' OR 1=1--" }, call);
    const cleared = await node.users.updateProfile({ avatarUrl: "" }, call);
    assert.deepEqual([cleared.user?.displayName, cleared.user?.bio, cleared.user?.avatarUrl], ["Ann ⛵", "' OR 1=1--", ""]);
    assert.deepEqual((await node.users.updateProfile({}, call)).user, cleared.user);
  });

  test("one sees others, and who does not exist is not there", async () => {
    const node = await startAuth(current().store);
    const ann = await newcomer(node);
    const bob = await newcomer(node);
    assert.deepEqual((await node.users.getUser({ userId: bob.id }, ann.call)).user, bob.user);
    await refusal(node.users.getUser({ userId: nobody }, ann.call), Reason.NOT_EXISTING);
  });
});

onEveryDatabase("searching people", (current) => {
  test("by the beginning of a user name or of a word of the display name, by user name, in pages", async () => {
    const node = await startAuth(current().store, { config: { rateLimits: false } });
    const make = (username: string, displayName: string) =>
      node.operator.createUser({ username, displayName, password: "correct horse battery", role: User_Role.USER });
    const { call } = await newcomer(node);
    await make("zed", "Marie-Luise Émile O'Neil");
    await make("mark", "Mark Twain");
    await make("mar.k", "X y z");
    await make("mar_a", "50% off");
    await make("mar-b", "back\\slash");
    await make("0mark", "Twain, Mark");
    await make("closed", "Mark Closed");
    await node.operator.deactivate("closed");
    assert.deepEqual(await search(node, call, "mar"), ["0mark", "mar-b", "mar.k", "mar_a", "mark", "zed"]);
    for (const size of [1, 2, 3])
      assert.deepEqual(await search(node, call, "mar", size), ["0mark", "mar-b", "mar.k", "mar_a", "mark", "zed"]);
    assert.deepEqual(await search(node, call, "MARK tw"), ["mark"]);
    assert.deepEqual(await search(node, call, "émi"), ["zed"]);
    assert.deepEqual(await search(node, call, "o'ne"), ["zed"]);
    assert.deepEqual(await search(node, call, "luise"), ["zed"]);
    assert.deepEqual(await search(node, call, "mar_"), ["0mark", "mar_a", "mark", "zed"]);
    assert.deepEqual(await search(node, call, "ark"), []);
  });

  test("every text is only text", async () => {
    const node = await startAuth(current().store);
    const { call } = await newcomer(node);
    const hostile = [
      "%",
      "_",
      "\\",
      "\\%",
      "'",
      "''",
      "' OR 1=1--",
      "qq:*",
      "!qq",
      "qq & b | !c",
      "(",
      ")",
      "<->",
      ":*",
      " ",
      "\t",
      "\u200b",
      "~",
      "💥",
      "\\'",
      "'\\",
      "qq'b\\c",
      "é".repeat(64),
      "<b>",
      "a".repeat(64),
    ];
    for (const query of hostile) assert.deepEqual(await search(node, call, query), [], query);
  });

  test("a page token is good for its own query", async () => {
    const node = await startAuth(current().store);
    const { call } = await newcomer(node);
    await newcomer(node);
    const { nextPageToken } = await node.users.searchUsers({ query: "user", pageSize: 1 }, call);
    assert.notEqual(nextPageToken, "");
    await refusal(node.users.searchUsers({ query: "use", pageSize: 1, pageToken: nextPageToken }, call), Reason.PAGE_TOKEN_INVALID);
  });
});

onEveryDatabase("roles and closed accounts", (current) => {
  const withAdmins = async (count: number) => {
    const node = await startAuth(current().store);
    const admins = [];
    for (let i = 0; i < count; i++) {
      const admin = await newcomer(node);
      await node.operator.setRole(admin.username, User_Role.ADMIN);
      admins.push(admin);
    }
    for (const { username, id } of await node.operator.listUsers({ role: User_Role.ADMIN })) {
      if (!admins.some((admin) => admin.id === id)) await node.operator.setRole(username, User_Role.USER);
    }
    return { node, admins };
  };

  test("a new role counts from the next call on, and is on record", async () => {
    const { node, admins } = await withAdmins(1);
    const ann = await newcomer(node);
    const boss = admins[0];
    assert.ok(boss);
    const { user } = await node.users.setRole({ userId: ann.id, role: User_Role.MODERATOR }, boss.call);
    assert.equal(user?.role, User_Role.MODERATOR);
    assert.equal((await node.identities.verify(ann.tokens.accessToken)).role, User_Role.MODERATOR);
    const entry = node.records.at(-1);
    assert.deepEqual([entry?.event, entry?.userId, entry?.subjectId, entry?.detail], ["role_changed", boss.id, ann.id, "MODERATOR"]);
    await refusal(node.users.setRole({ userId: nobody, role: User_Role.USER }, boss.call), Reason.NOT_EXISTING);
  });

  test("the last administrator stays one", async () => {
    const { node, admins } = await withAdmins(1);
    const boss = admins[0];
    assert.ok(boss);
    await refusal(node.users.setRole({ userId: boss.id, role: User_Role.USER }, boss.call), Reason.LAST_ADMIN);
    await refusal(node.users.deactivate({ userId: boss.id }, boss.call), Reason.LAST_ADMIN);
    await refusal(node.operator.deactivate(boss.username), Reason.LAST_ADMIN);
    assert.equal((await node.users.setRole({ userId: boss.id, role: User_Role.ADMIN }, boss.call)).user?.role, User_Role.ADMIN);
    assert.ok(await node.identities.verify(boss.tokens.accessToken));
  });

  test("of administrators who demote and close each other at once, one stays", async () => {
    for (let round = 0; round < 5; round++) {
      const { node, admins } = await withAdmins(4);
      const steps = admins.map(({ id }, i) => {
        const by = admins[(i + 1) % 4]?.call;
        return i % 2 ? node.users.deactivate({ userId: id }, by) : node.users.setRole({ userId: id, role: User_Role.USER }, by);
      });
      const results = await Promise.allSettled(steps);
      assert.equal(results.filter((result) => result.status === "fulfilled").length, 3);
      for (const result of results) if (result.status === "rejected") assert.equal(result.reason.reason, Reason.LAST_ADMIN);
      const left = await node.operator.listUsers({ role: User_Role.ADMIN });
      assert.equal(left.filter((user) => !user.deactivated).length, 1);
      for (const user of left) if (user.deactivated) await node.operator.reactivate(user.username);
    }
  });

  test("closing an account ends all that it could do, once; opening it brings no session back", async () => {
    const { node, admins } = await withAdmins(1);
    const ann = await newcomer(node);
    const { token } = await node.auth.createApiToken({ name: "bot", scopes: [1] }, ann.call);
    const ended: unknown[] = [];
    node.identities.onEnded((event) => ended.push(event));
    const { user } = await node.users.deactivate({ userId: ann.id }, admins[0]?.call);
    assert.equal(user?.deactivated, true);
    assert.equal((await node.users.deactivate({ userId: ann.id }, admins[0]?.call)).user?.deactivated, true);
    assert.deepEqual(ended, [{ userId: ann.id, reason: Goodbye_Reason.DEACTIVATED }]);
    for (const bad of [ann.tokens.accessToken, token]) await refusal(node.identities.verify(bad), Reason.SESSION_REVOKED);
    await refusal(node.auth.createApiToken({ name: "bot", scopes: [1] }, ann.call), Reason.SESSION_REVOKED);
    assert.equal((await node.users.reactivate({ userId: ann.id }, admins[0]?.call)).user?.deactivated, false);
    for (const bad of [ann.tokens.accessToken, token]) await refusal(node.identities.verify(bad), Reason.SESSION_REVOKED);
    assert.ok((await node.auth.logIn({ username: ann.username, password: ann.password })).tokens);
  });

  test("a log-in that is under way when the account is closed begins no session", async () => {
    const { node } = await withAdmins(1);
    const ann = await newcomer(node);
    const attempts = Array.from({ length: 10 }, () =>
      node.auth.logIn({ username: ann.username, password: ann.password }).then(
        ({ tokens }) => tokens,
        () => undefined,
      ),
    );
    await node.operator.deactivate(ann.username);
    for (const tokens of await Promise.all(attempts))
      if (tokens) await refusal(node.identities.verify(tokens.accessToken), Reason.SESSION_REVOKED);
    await node.operator.reactivate(ann.username);
    for (const tokens of await Promise.all(attempts))
      if (tokens) await refusal(node.identities.verify(tokens.accessToken), Reason.SESSION_REVOKED);
  });

  test("the operator lists people by name and role, and acts for a person", async () => {
    const { node, admins } = await withAdmins(2);
    const names = admins.map((admin) => admin.username).sort();
    assert.deepEqual(
      (await node.operator.listUsers({ role: User_Role.ADMIN })).map((user) => user.username),
      names,
    );
    assert.deepEqual(
      (await node.operator.listUsers({ role: User_Role.ADMIN, after: names[0] ?? "" })).map((user) => user.username),
      names.slice(1),
    );
    const { token } = await node.auth.createApiToken({ name: "script", scopes: [1] }, await node.operator.callFor(names[0] ?? ""));
    assert.equal((await node.identities.verify(token)).username, names[0]);
    await refusal(node.operator.callFor("no-such-name"), Reason.NOT_EXISTING);
  });
});
