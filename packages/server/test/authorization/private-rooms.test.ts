// What one may not read answers as if it did not exist: the same words for a private room and for none, on every method.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { Code, MessagesService, ParlorError, Presence_Status, PresenceService, Reason, RoomsService, unaryMethods } from "@parlor/contract";
import type { RoleName } from "../../src/main/admin.ts";
import { type Engine, engines } from "../support/databases.ts";
import type { Driver, Person } from "../support/drivers/driver.ts";
import { driversOf } from "../support/drivers/index.ts";
import { newName, type Party, party } from "../support/party.ts";
import { type Ids, requestFor } from "../support/requests.ts";
import { password, type Running, running } from "../support/running.ts";

const nowhere = "01900000-0000-7000-8000-000000000000";
const aboutRooms = unaryMethods.filter((method) => method.input.fields.some(({ localName }) => localName === "roomId"));

/** All that an answer says, but for the id of the request. */
async function answerOf(answer: Promise<unknown>): Promise<unknown> {
  try {
    return await answer;
  } catch (error) {
    if (!(error instanceof ParlorError)) throw error;
    const { code, reason, message, violations, retryAfterMs } = error;
    return { code: Code[code], reason: Reason[reason], message, violations, retryAfterMs };
  }
}

describe("A private room is like none", { timeout: 60_000 }, () => {
  let server: Running;
  let guests: Party;
  let inside: Ids;
  before(async () => {
    server = await running(engines[0] as Engine);
    guests = await party(server);
    const { host, roomId } = guests;
    const { message } = await host.call(MessagesService.method.sendMessage, { roomId, text: "secret" });
    inside = { roomId, userId: host.user.id, messageId: message?.id ?? "" };
  });
  after(async () => {
    guests[Symbol.dispose]();
    await server[Symbol.asyncDispose]();
  });

  async function stranger(way: number, role: RoleName): Promise<Person> {
    const username = newName();
    await server.admin.createUser({ username, password, role });
    return (driversOf(server)[way] as Driver).logIn(username);
  }

  for (const role of ["GUEST", "USER", "MODERATOR", "ADMIN"] as const) {
    for (const way of [0, 1, 2]) {
      test(`${role} over ${["gRPC", "REST and WebSocket JSON", "REST and WebSocket protobuf"][way]}`, async () => {
        const person = await stranger(way, role);
        assert.ok(aboutRooms.length > 20);
        for (const method of aboutRooms) {
          const ask = (ids: Ids) => answerOf(person.call(method, requestFor(method, ids) as MessageInitShape<typeof method.input>));
          const answer = await ask(inside);
          assert.deepEqual(answer, await ask({ ...inside, roomId: nowhere }), method.name);
          assert.equal((answer as { readonly reason?: string }).reason, "NOT_EXISTING", method.name);
        }
        const live = await person.connect();
        const says = (roomId: string) =>
          Promise.all([
            answerOf(live.send(roomId, "hi", "k")),
            answerOf(live.markRead(roomId, 1)),
            answerOf(live.markRead(roomId, 4_000_000)),
          ]);
        assert.deepEqual(await says(inside.roomId), await says(nowhere));
        person.close();
      });
    }
  }

  test("neither lists nor presence tell of it", async () => {
    const person = await stranger(0, "ADMIN");
    const live = await guests.host.connect();
    await live.setPresence(Presence_Status.BUSY);
    const { rooms } = await person.call(RoomsService.method.listRooms, { query: "Party" });
    assert.deepEqual(rooms, []);
    assert.deepEqual((await person.call(RoomsService.method.listMyRooms, {})).rooms, []);
    const { presences } = await person.call(PresenceService.method.getPresence, { userIds: [guests.host.user.id, nowhere] });
    assert.deepEqual(
      presences.map(({ status, lastSeenAt }) => [status, lastSeenAt]),
      [
        [Presence_Status.OFFLINE, undefined],
        [Presence_Status.OFFLINE, undefined],
      ],
    );
    live.close();
    person.close();
  });
});
