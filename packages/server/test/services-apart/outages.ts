// Services that go away and come back, while clients go on. For `npm run test:faults`.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { AuthService, Code, Goodbye_Reason, MessagesService, ParlorError, Reason, RoomsService, UsersService } from "@parlor/contract";
import type { Person } from "../support/drivers/driver.ts";
import { driversOf } from "../support/drivers/index.ts";
import { newName, type Party, party } from "../support/party.ts";
import { refused } from "../support/refused.ts";
import { type Apart, type PartName, servicesApart, whyNotApart } from "../support/services-apart.ts";

async function readiness(
  url: string,
): Promise<{ readonly code: number; readonly status: string; readonly services: Record<string, boolean> }> {
  const answer = await fetch(`${url}/readyz`);
  return { code: answer.status, ...((await answer.json()) as { status: string; services: Record<string, boolean> }) };
}

/** Each way to a service finds out by itself that it is back, within moments. */
async function allReachable(url: string): Promise<void> {
  for (;;) {
    const { code, services } = await readiness(url);
    if (code === 200 && Object.values(services).every((reached) => reached)) return;
  }
}

const all = { auth: true, users: true, rooms: true, messages: true, realtime: true };

describe("Outages of services apart", { skip: whyNotApart ?? false, timeout: 60_000 }, () => {
  let apart: Apart;
  let people: Party;
  before(async () => {
    apart = await servicesApart();
    people = await party(apart);
  });
  after(async () => {
    people[Symbol.dispose]();
    await apart[Symbol.asyncDispose]();
  });

  /** Over gRPC, as what the gateway says is seen there at once: the public client tries again by itself. */
  const person = (): Person => people.guests[0] as Person;
  /** What only this part can answer. */
  const asks: { readonly [P in Exclude<PartName, "gateway" | "realtime">]: () => Promise<unknown> } = {
    auth: () => person().call(AuthService.method.listSessions, {}),
    users: () => person().call(UsersService.method.getMe, {}),
    "rooms,messages": () => person().call(MessagesService.method.sendMessage, { roomId: people.roomId, text: "hello" }),
  };

  for (const [part, ask] of Object.entries(asks) as [PartName, () => Promise<unknown>][]) {
    test(`${part}: typed refusals while it is away, answers once it is back, and nothing else is disturbed`, async () => {
      await ask();
      await apart.stop(part);
      const error = await refused(ask(), Reason.SERVICE_UNAVAILABLE);
      assert.equal(error.code, Code.UNAVAILABLE);
      assert.ok((error.retryAfterMs ?? 0) > 0, "it says when to try again");
      const { status, services } = await readiness(apart.url);
      const away = part.split(",");
      assert.deepEqual(services, Object.fromEntries(Object.keys(all).map((name) => [name, !away.includes(name)])));
      assert.equal(status, part === "auth" ? "not ready" : "ready");
      for (const [other, askOther] of Object.entries(asks)) if (other !== part) await askOther();
      await apart.start(part);
      await ask();
      await allReachable(apart.url);
    });
  }

  test("a call waits for a service that is being restarted", async () => {
    await apart.stop("users");
    const asked = asks.users();
    await apart.start("users");
    await asked;
  });

  test("auth away: who is known goes on for a while, and who is not is told that nobody can say", async () => {
    const [driver] = driversOf(apart);
    await asks.users();
    await apart.stop("auth");
    await asks.users();
    const stranger = driver?.withToken(person().token.slice(0, -4).concat("AAAA"), person().user);
    await refused(stranger?.call(RoomsService.method.listMyRooms, {}) as Promise<unknown>, Reason.SERVICE_UNAVAILABLE);
    await apart.start("auth");
    await refused(stranger?.call(RoomsService.method.listMyRooms, {}) as Promise<unknown>, Reason.TOKEN_INVALID);
    stranger?.close();
  });

  test("realtime away: everyone is told to come back, and those who resume miss nothing", async () => {
    const { host, roomId, drivers, guests } = people;
    const lives = await Promise.all(guests.map((guest) => guest.connect()));
    const { message: first } = await host.call(MessagesService.method.sendMessage, { roomId, text: "before" });
    for (const { inbox } of lives) await inbox.find(({ seq }) => seq === first?.seq);
    await apart.stop("realtime");
    for (const live of lives) {
      const { reason, afterMs = 0 } = await live.ended;
      assert.equal(reason, Goodbye_Reason.SHUTDOWN);
      assert.ok(afterMs >= 0 && afterMs <= 5000);
      live.close();
    }
    const { message: missed } = await host.call(MessagesService.method.sendMessage, { roomId, text: "meanwhile" });
    await apart.start("realtime");
    for (const [index, driver] of drivers.entries()) {
      const guest = guests[index];
      assert.ok(guest);
      const again = await driver.withToken(guest.token, guest.user).connect([{ roomId, seq: first?.seq ?? 0 }]);
      await again.inbox.find(({ seq }) => seq === missed?.seq);
      again.close();
    }
  });

  test("a stream that is opened while realtime is away ends with word of when to come back", async () => {
    await apart.stop("realtime");
    const [grpc] = people.guests;
    const error = await grpc?.connect().then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    assert.ok(error instanceof ParlorError);
    assert.equal(error.code, Code.UNAVAILABLE);
    await apart.start("realtime");
    const live = await grpc?.connect();
    live?.close();
  });

  test("the public client waits and tries again by itself", async () => {
    await apart.stop("users");
    const asked = people.host.call(UsersService.method.getMe, {});
    const answer = await fetch(`${apart.url}/api/v1/users/me`, { headers: { authorization: `Bearer ${people.host.token}` } });
    assert.equal(answer.status, 503);
    assert.ok(answer.headers.has("retry-after"));
    await apart.start("users");
    await asked;
  });

  test("nothing of this is a fault", () => assert.deepEqual(apart.faults, []));

  test("a new account is known at once", async () => {
    const person = await driversOf(apart)[1]?.signUp(newName());
    assert.ok(person);
    await person.call(UsersService.method.getMe, {});
    person.close();
  });
});
