import assert from "node:assert/strict";
import { test } from "node:test";
import { ApiToken_Scope, Goodbye_Reason, Reason, User_Role } from "@parlor/contract";
import { MemoryBusHub } from "../../src/engines/bus-memory.ts";
import type { Ended } from "../../src/services/auth/notices.ts";
import { revokeSession } from "../../src/store/sessions.ts";
import { day, newcomer, refusal, startAuth } from "../support/auth.ts";
import { onEveryDatabase } from "../support/databases.ts";

onEveryDatabase("identities", (current) => {
  test("what happens elsewhere without a word is seen after 5 seconds at most", async () => {
    const node = await startAuth(current().store);
    const { tokens, caller } = await newcomer(node);
    await revokeSession(current().store, caller.sessionId, new Date(node.clock.now()));
    assert.ok(await node.identities.verify(tokens.accessToken));
    node.clock.advance(4999);
    assert.ok(await node.identities.verify(tokens.accessToken));
    node.clock.advance(1);
    await refusal(node.identities.verify(tokens.accessToken), Reason.SESSION_REVOKED);
  });

  test("live connections are checked together, against the store as it is now", async () => {
    const node = await startAuth(current().store);
    const [ann, bob, eve, max] = [await newcomer(node), await newcomer(node), await newcomer(node), await newcomer(node)];
    const short = await node.auth.createApiToken(
      { name: "bot", scopes: [ApiToken_Scope.READ], expiresAt: { seconds: BigInt(node.clock.now() / 1000) + 60n } },
      ann.call,
    );
    const ids = [ann, bob, eve, max]
      .map((person) => person.caller.sessionId)
      .concat(short.apiToken?.id ?? "", "01890000-0000-7000-8000-000000000000");
    const other = await startAuth(current().store, { clock: node.clock });
    await other.auth.logOut({}, bob.call);
    await other.operator.deactivate(eve.username);
    await other.operator.setRole(max.username, User_Role.MODERATOR);
    node.clock.advance(60_000);
    assert.deepEqual(
      [...(await node.identities.stillValid(ids)).values()],
      [
        { valid: true, role: User_Role.USER, username: ann.username },
        { valid: false, reason: Goodbye_Reason.SESSION_REVOKED },
        { valid: false, reason: Goodbye_Reason.DEACTIVATED },
        { valid: true, role: User_Role.MODERATOR, username: max.username },
        { valid: false, reason: Goodbye_Reason.TOKEN_EXPIRED },
        { valid: false, reason: Goodbye_Reason.SESSION_REVOKED },
      ],
    );
    assert.equal((await node.identities.stillValid([])).size, 0);
    node.clock.advance(30 * day);
    assert.deepEqual((await node.identities.stillValid(ids.slice(0, 1))).get(ids[0] ?? ""), {
      valid: false,
      reason: Goodbye_Reason.TOKEN_EXPIRED,
    });
  });

  test("an ending on one node reaches the others by the bus", async () => {
    const hub = new MemoryBusHub();
    const one = await startAuth(current().store, { bus: hub.join() });
    const two = await startAuth(current().store, { bus: hub.join(), clock: one.clock });
    const ann = await newcomer(one);
    const bob = await newcomer(one);
    for (const { tokens } of [ann, bob]) assert.ok(await two.identities.verify(tokens.accessToken));
    const ended: Ended[] = [];
    const stop = two.identities.onEnded((event) => ended.push(event));
    await one.auth.logOut({}, ann.call);
    await one.operator.setRole(bob.username, User_Role.MODERATOR);
    await refusal(two.identities.verify(ann.tokens.accessToken), Reason.SESSION_REVOKED);
    assert.equal((await two.identities.verify(bob.tokens.accessToken)).role, User_Role.MODERATOR);
    await one.operator.deactivate(bob.username);
    await refusal(two.identities.verify(bob.tokens.accessToken), Reason.SESSION_REVOKED);
    assert.deepEqual(ended, [
      { sessionIds: [ann.caller.sessionId], reason: Goodbye_Reason.SESSION_REVOKED },
      { userId: bob.id, reason: Goodbye_Reason.DEACTIVATED },
    ]);
    stop();
    two.identities.close();
    await one.auth.logIn({ username: ann.username, password: ann.password });
    await one.operator.deactivate(ann.username);
    assert.equal(ended.length, 2);
  });

  test("after notices were lost, everything is read again", async () => {
    const hub = new MemoryBusHub();
    const one = await startAuth(current().store, { bus: hub.join() });
    const two = await startAuth(current().store, { bus: hub.join(), clock: one.clock });
    const { tokens, call } = await newcomer(one);
    assert.ok(await two.identities.verify(tokens.accessToken));
    const restore = hub.interrupt();
    await one.auth.logOut({}, call);
    assert.ok(await two.identities.verify(tokens.accessToken));
    restore();
    await refusal(two.identities.verify(tokens.accessToken), Reason.SESSION_REVOKED);
  });

  test("a token that is checked while its session ends is not remembered as good", async () => {
    const node = await startAuth(current().store);
    for (let i = 0; i < 20; i++) {
      const { tokens, call } = await newcomer(node);
      node.clock.advance(5000);
      const checks = Array.from({ length: 5 }, () => node.identities.verify(tokens.accessToken).catch(() => undefined));
      await Promise.all([node.auth.logOut({}, call), ...checks]);
      await refusal(node.identities.verify(tokens.accessToken), Reason.SESSION_REVOKED);
    }
  });
});
