// Sessions that end and roles that change, on another node than the streams.
import assert from "node:assert/strict";
import { test } from "node:test";
import { AuthService, Goodbye_Reason, Member_Role, Reason, Room_Visibility, RoomsService, User_Role, UsersService } from "@parlor/contract";
import type { Cluster } from "../support/cluster.ts";
import type { Person } from "../support/drivers/driver.ts";
import { refused } from "../support/refused.ts";
import { password } from "../support/running.ts";
import { onEveryBus } from "./on-every-bus.ts";

const auth = AuthService.method;

interface Ending {
  readonly title: string;
  readonly reason: Goodbye_Reason;
  end(victim: Person, sessionId: string, cluster: Cluster): Promise<unknown>;
}

const endings: readonly Ending[] = [
  { title: "log-out", reason: Goodbye_Reason.SESSION_REVOKED, end: (victim) => victim.call(auth.logOut, {}) },
  {
    title: "a password change",
    reason: Goodbye_Reason.SESSION_REVOKED,
    end: async (victim, _session, cluster) => {
      const other = await cluster.logIn(victim.user.username, 0);
      await other.call(auth.changePassword, { currentPassword: password, newPassword: `${password}!` });
    },
  },
  {
    title: "revocation by an administrator",
    reason: Goodbye_Reason.SESSION_REVOKED,
    end: async (_victim, sessionId, cluster) => (await cluster.admin()).call(auth.revokeSession, { sessionId }),
  },
  {
    title: "deactivation",
    reason: Goodbye_Reason.DEACTIVATED,
    end: async (victim, _session, cluster) => (await cluster.admin()).call(UsersService.method.deactivate, { userId: victim.user.id }),
  },
];

onEveryBus("Ends across nodes", (current) => {
  for (const [bus, within] of [
    ["up", 1000],
    ["down", 5000],
  ] as const) {
    test(`with the bus ${bus}, streams of an ended session end on every node, and its token is refused`, async () => {
      const cluster = current();
      const victims = await Promise.all(endings.map(() => cluster.signUp(0)));
      const lives = await Promise.all(victims.map((victim) => Promise.all([1, 2].map((node) => cluster.at(victim, node, node).connect()))));
      const resume = bus === "down" ? await cluster.interrupt() : async () => undefined;
      const checks = endings.map(async ({ end, reason, title }, i) => {
        const [victim, [live] = []] = [victims[i] as Person, lives[i]];
        await end(victim, live?.welcome.sessionId ?? "", cluster);
        const start = performance.now();
        for (const { ended } of lives[i] ?? []) assert.equal(Goodbye_Reason[(await ended).reason ?? 0], Goodbye_Reason[reason], title);
        const elsewhere = cluster.at(victim, 2, 1);
        while (
          await elsewhere.call(UsersService.method.getMe, {}).then(
            () => true,
            () => false,
          )
        );
        assert.ok(performance.now() - start < within, `${title} took ${performance.now() - start} ms`);
        await refused(elsewhere.connect(), Reason.SESSION_REVOKED);
      });
      await Promise.all(checks);
      await resume();
    });
  }

  test("with the bus down, a stream that opens with a session that has just ended lives no longer than others", async () => {
    const cluster = current();
    const victim = await cluster.signUp(0);
    const elsewhere = cluster.at(victim, 1, 1);
    await elsewhere.call(UsersService.method.getMe, {});
    const resume = await cluster.interrupt();
    await victim.call(auth.logOut, {});
    const start = performance.now();
    const live = await elsewhere.connect();
    assert.equal((await live.ended).reason, Goodbye_Reason.SESSION_REVOKED);
    assert.ok(performance.now() - start < 1000);
    await resume();
  });

  test("a new role counts on open streams at once", async () => {
    const cluster = current();
    const [host, person, admin] = [await cluster.signUp(0), await cluster.signUp(1), await cluster.admin(2)];
    const { room } = await host.call(RoomsService.method.createRoom, {
      name: "Stage",
      visibility: Room_Visibility.PUBLIC,
      permissions: { post: Member_Role.MODERATOR },
    });
    const roomId = room?.id ?? "";
    await person.call(RoomsService.method.joinRoom, { roomId });
    const live = await person.connect();
    await refused(live.send(roomId, "may I?", "k1"), Reason.ROLE_TOO_LOW);
    await admin.call(UsersService.method.setRole, { userId: person.user.id, role: User_Role.MODERATOR });
    const start = performance.now();
    let tries = 0;
    const mayNow = (): Promise<boolean> =>
      live.send(roomId, "may I now?", `k${++tries}`).then(
        () => true,
        () => false,
      );
    while (!(await mayNow())) assert.ok(performance.now() - start < 1000);
  });

  test("no node reported a fault", () => assert.deepEqual(current().faults, []));
});
