// Limits that hold over all nodes together; and over each by itself while they do not hear of each other.
import assert from "node:assert/strict";
import { test } from "node:test";
import { AuthService, MessagesService, ParlorError, Reason, RoomsService, UsersService } from "@parlor/contract";
import type { Cluster } from "../support/cluster.ts";
import type { Person } from "../support/drivers/driver.ts";
import { newName } from "../support/party.ts";
import { onEveryBus } from "./on-every-bus.ts";

/** Slow enough that nothing is given back during a test. */
const limits = {
  PARLOR_RATE_LIMITS: "on",
  PARLOR_SENDS_PER_SECOND: "1",
  PARLOR_SENDS_BURST: "12",
  PARLOR_CALLS_PER_SECOND: "1",
  PARLOR_CALLS_BURST: "30",
  PARLOR_SIGN_UPS_PER_MINUTE: "60",
  PARLOR_LOG_IN_FAILURES: "6",
};

/** Whether a call was given; other refusals than the expected one are faults of the test. */
async function given(call: Promise<unknown>, reason: Reason): Promise<boolean> {
  try {
    await call;
    return true;
  } catch (error) {
    if (error instanceof ParlorError && error.reason === reason) return false;
    throw error;
  }
}

/** How many of `calls` were given, which go around the nodes, one after the other. */
async function count(cluster: Cluster, calls: number, act: (node: number) => Promise<boolean>): Promise<number> {
  let sum = 0;
  for (let i = 0; i < calls; i++) if (await act(i % cluster.nodes.length)) sum++;
  return sum;
}

async function host(cluster: Cluster): Promise<{ readonly everywhere: readonly Person[]; readonly roomId: string }> {
  const person = await cluster.signUp(0);
  const { room } = await person.call(RoomsService.method.createRoom, { name: "Tea" });
  return { everywhere: cluster.nodes.map((_, node) => cluster.at(person, node)), roomId: room?.id ?? "" };
}

onEveryBus(
  "Limits across nodes",
  (current) => {
    for (const [bus, most] of [
      ["up", 12],
      ["down", 36],
    ] as const) {
      test(`with the bus ${bus}, sends of one person on three nodes`, async () => {
        const cluster = current();
        const { everywhere, roomId } = await host(cluster);
        const resume = bus === "down" ? await cluster.interrupt() : async () => undefined;
        const start = performance.now();
        const sent = await count(cluster, 60, (node) => {
          const call = (everywhere[node] as Person).call(MessagesService.method.sendMessage, { roomId, text: "hello" });
          return given(call, Reason.RATE_LIMITED);
        });
        const seconds = (performance.now() - start) / 1000;
        // What is given while word is under way, and what comes back in time.
        const slack = 8 + (bus === "up" ? 1 : 3) * Math.ceil(seconds);
        assert.ok(sent >= 12 && sent <= most + slack, `${sent} in ${seconds} s`);
        await resume();
      });
    }

    test("other calls of one person", async () => {
      const cluster = current();
      const { everywhere } = await host(cluster);
      const start = performance.now();
      const made = await count(cluster, 150, (node) =>
        given((everywhere[node] as Person).call(UsersService.method.getMe, {}), Reason.RATE_LIMITED),
      );
      const seconds = (performance.now() - start) / 1000;
      // A call takes a millisecond, and word of it up to fifty.
      assert.ok(made <= 90, `${made} in ${seconds} s`);
      assert.ok(made >= 29, `${made} in ${seconds} s`);
    });

    for (const [bus, most] of [
      ["up", 6],
      ["down", 18],
    ] as const) {
      test(`with the bus ${bus}, failed log-ins for one account`, async () => {
        const cluster = current();
        const person = await cluster.signUp(0);
        const resume = bus === "down" ? await cluster.interrupt() : async () => undefined;
        const reasons: Reason[] = [];
        for (let i = 0; i < 24; i++) {
          const stranger = cluster.at({ token: "", user: person.user }, i % 3);
          const attempt = stranger.call(AuthService.method.logIn, { username: person.user.username, password: `wrong ${newName()}` });
          reasons.push(
            await attempt.then(
              () => Reason.REASON_UNSPECIFIED,
              (error: ParlorError) => error.reason,
            ),
          );
        }
        const failed = reasons.filter((reason) => reason === Reason.BAD_CREDENTIALS).length;
        // Word of the last failures may still be under way.
        assert.ok(failed >= most && failed <= (bus === "up" ? most + 2 : most), `${failed} failures`);
        assert.equal(reasons.filter((reason) => reason === Reason.TOO_MANY_ATTEMPTS).length, 24 - failed);
        await resume();
      });
    }

    test("no node reported a fault", () => assert.deepEqual(current().faults, []));
  },
  limits,
);
