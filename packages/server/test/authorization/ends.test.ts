// From the moment that somebody may no longer hear, they hear nothing more: on every protocol, and with the reason.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import {
  ApiToken_Scope,
  AuthService,
  Goodbye_Reason,
  MessagesService,
  Reason,
  RoomExited_Cause,
  RoomsService,
  UsersService,
} from "@parlor/contract";
import { type Engine, engines } from "../support/databases.ts";
import type { Driver, Live, Person } from "../support/drivers/driver.ts";
import { driversOf } from "../support/drivers/index.ts";
import { newName, type Party, party } from "../support/party.ts";
import { refused } from "../support/refused.ts";
import { password, type Running, running } from "../support/running.ts";

const auth = AuthService.method;
const rooms = RoomsService.method;

interface Case {
  readonly title: string;
  readonly reason: Goodbye_Reason;
  /** With what the victim's connections are opened: the session, or a token of that person. */
  victim?(guest: Person, driver: Driver): Promise<Person>;
  /** Ends it; `guest` is the session of the person with which they signed up. */
  end(people: { readonly guest: Person; readonly victim: Person; readonly admin: Person; readonly sessionId: string }): Promise<unknown>;
}

const anotherSession = (guest: Person, driver: Driver): Promise<Person> => driver.logIn(guest.user.username);

async function apiToken(guest: Person, driver: Driver): Promise<Person> {
  const scopes = [ApiToken_Scope.READ, ApiToken_Scope.WRITE];
  const { token } = await guest.call(auth.createApiToken, { name: "bot", scopes });
  return driver.withToken(token, guest.user);
}

const cases: readonly Case[] = [
  { title: "log-out", reason: Goodbye_Reason.SESSION_REVOKED, victim: anotherSession, end: ({ victim }) => victim.call(auth.logOut, {}) },
  {
    title: "a password change elsewhere",
    reason: Goodbye_Reason.SESSION_REVOKED,
    victim: anotherSession,
    end: ({ guest }) => guest.call(auth.changePassword, { currentPassword: password, newPassword: `${password}!` }),
  },
  {
    title: "a password change, for API tokens",
    reason: Goodbye_Reason.SESSION_REVOKED,
    victim: apiToken,
    end: ({ guest }) => guest.call(auth.changePassword, { currentPassword: password, newPassword: `${password}!` }),
  },
  {
    title: "revocation of the session by its owner",
    reason: Goodbye_Reason.SESSION_REVOKED,
    victim: anotherSession,
    end: ({ guest, sessionId }) => guest.call(auth.revokeSession, { sessionId }),
  },
  {
    title: "revocation of the session by an administrator",
    reason: Goodbye_Reason.SESSION_REVOKED,
    end: ({ admin, sessionId }) => admin.call(auth.revokeSession, { sessionId }),
  },
  {
    title: "revocation of the API token",
    reason: Goodbye_Reason.SESSION_REVOKED,
    victim: apiToken,
    end: ({ guest, sessionId }) => guest.call(auth.revokeApiToken, { tokenId: sessionId }),
  },
  {
    title: "deactivation",
    reason: Goodbye_Reason.DEACTIVATED,
    end: ({ admin, guest }) => admin.call(UsersService.method.deactivate, { userId: guest.user.id }),
  },
];

describe("What ends, ends at once", { timeout: 60_000 }, () => {
  let server: Running;
  let admin: Person;
  before(async () => {
    // Who may what does not depend on the database.
    server = await running(engines[0] as Engine);
    const username = newName();
    await server.admin.createUser({ username, password, role: "ADMIN" });
    admin = await (driversOf(server)[0] as Driver).logIn(username);
  });
  after(async () => {
    admin.close();
    await server[Symbol.asyncDispose]();
  });

  for (const { title, reason, end, ...made } of cases) {
    test(title, async () => {
      using guests = await party(server);
      const { host, drivers, roomId } = guests;
      for (const [way, guest] of guests.guests.entries()) {
        const victim = (await made.victim?.(guest, drivers[way] as Driver)) ?? guest;
        const everywhere = drivers.map((driver) => driver.withToken(victim.token, victim.user));
        const lives = await Promise.all(everywhere.map((one) => one.connect()));
        await end({ guest, victim, admin, sessionId: lives[0]?.welcome.sessionId ?? "" });
        const { message } = await host.call(MessagesService.method.sendMessage, { roomId, text: "secret" });
        for (const live of lives) await endsDeaf(live, reason, message?.seq ?? 0);
        for (const one of everywhere) {
          await refused(one.call(MessagesService.method.listMessages, { roomId }), Reason.SESSION_REVOKED);
          await refused(one.connect(), Reason.SESSION_REVOKED);
          one.close();
        }
        if (victim !== guest) victim.close();
      }
    });
  }

  for (const [title, cause] of [
    ["removal", RoomExited_Cause.REMOVED],
    ["ban", RoomExited_Cause.BANNED],
  ] as const) {
    test(title, async () => {
      using guests = await party(server);
      for (const guest of guests.guests) await exitsDeaf(guests, guest, cause);
    });
  }
});

async function endsDeaf(live: Live, reason: Goodbye_Reason, secret: number): Promise<void> {
  assert.equal(Goodbye_Reason[(await live.ended).reason ?? 0], Goodbye_Reason[reason]);
  assert.ok(!live.inbox.items.some(({ seq }) => seq === secret), "it heard what came after");
}

/** The connection lives on, and brings other rooms, and nothing of this one. */
async function exitsDeaf({ host, drivers, roomId }: Party, guest: Person, exit: RoomExited_Cause): Promise<void> {
  const { room: other } = await host.call(rooms.createRoom, { name: "Other", memberIds: [guest.user.id] });
  const everywhere = drivers.map((driver) => driver.withToken(guest.token, guest.user));
  const lives = await Promise.all(everywhere.map((one) => one.connect()));
  const target = { roomId, userId: guest.user.id };
  await (exit === RoomExited_Cause.REMOVED ? host.call(rooms.removeMember, target) : host.call(rooms.banUser, target));
  await host.call(MessagesService.method.sendMessage, { roomId, text: "secret" });
  const { message: marker } = await host.call(MessagesService.method.sendMessage, { roomId: other?.id ?? "", text: "marker" });
  for (const { inbox } of lives) {
    await inbox.find((event) => event.roomId === other?.id && event.seq === marker?.seq);
    const heard = inbox.items.filter((event) => event.roomId === roomId);
    assert.deepEqual(
      heard.map(({ kind }) => [kind.case, kind.case === "roomExited" && kind.value.cause]),
      [["roomExited", exit]],
    );
  }
  for (const one of everywhere) one.close();
}
