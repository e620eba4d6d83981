// Old messages go, and whoever looks for them is told so.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { MessagesService, Reason, type Room, Room_Visibility, RoomsService, type Welcome, Welcome_Outcome } from "@parlor/contract";
import { loadConfig, type RunningServer, startServer } from "../../src/index.ts";
import type { TestDatabase } from "../support/databases.ts";
import type { Live, Person } from "../support/drivers/driver.ts";
import { type Party, party } from "../support/party.ts";
import { refused } from "../support/refused.ts";
import { onEveryEngine, testEnvironment } from "../support/running.ts";

const { sendMessage, addReaction, listMessages, listEvents, getMessage } = MessagesService.method;
const { updateRoom, getRoom, listMembers } = RoomsService.method;
const hour = 3_600_000;

onEveryEngine("Retention", (engine) => {
  let fresh: TestDatabase;
  let server: RunningServer;
  let guests: Party;
  let ahead = 0;
  before(async () => {
    fresh = await engine.fresh();
    const env = { ...testEnvironment, PARLOR_ACCESS_TOKEN_LIFETIME: "1d", PARLOR_RETENTION: "365d" };
    const clock = { now: () => Date.now() + ahead };
    server = await startServer(loadConfig(env), { database: fresh.database, clock });
    guests = await party(server, Room_Visibility.PRIVATE);
  });
  after(async () => {
    guests[Symbol.dispose]();
    await server.close();
    await fresh.close();
  });

  test("old messages go with their part of the log, and who comes back is told what is missing", async () => {
    const { host, roomId } = guests;
    const old = await write(host, roomId, 10);
    const oldId = (await host.call(listMessages, { roomId, afterSeq: old - 1 })).messages[0]?.id ?? "";
    await host.call(addReaction, { roomId, messageId: oldId, emoji: "👍" });
    const members = await host.call(listMembers, { roomId });
    ahead += 2 * hour;
    const recent = await write(host, roomId, 3);
    const { firstSeq, lastSeq } = await trimmed(host, roomId, 3600);
    assert.equal(firstSeq, old + 1);

    assert.deepEqual(
      (await host.call(listMessages, { roomId })).messages.map(({ seq }) => seq),
      [recent - 2, recent - 1, recent],
    );
    await refused(host.call(getMessage, { roomId, messageId: oldId }), Reason.NOT_EXISTING);
    assert.deepEqual(await host.call(listMembers, { roomId }), members);
    const { events, missingTo } = await host.call(listEvents, { roomId, afterSeq: 2 });
    assert.deepEqual([events.map(({ seq }) => seq), missingTo], [range(firstSeq, lastSeq), old]);
    assert.equal((await host.call(listEvents, { roomId, afterSeq: old })).missingTo, 0);

    for (const guest of guests.guests) {
      const live = await guest.connect([{ roomId, seq: 2 }]);
      const { outcome, gap } = stateOf(live.welcome, roomId);
      assert.deepEqual([outcome, gap?.from, gap?.to], [Welcome_Outcome.GAP, 3, old]);
      const next = await write(host, roomId, 2);
      await live.inbox.find((event) => event.seq === next);
      assert.deepEqual(seqsOf(live, roomId), range(firstSeq, next));
      live.close();
      const whole = await guest.connect([{ roomId, seq: old }]);
      assert.equal(stateOf(whole.welcome, roomId).outcome, Welcome_Outcome.RECOVERED);
      await whole.inbox.find((event) => event.seq === next);
      assert.deepEqual(seqsOf(whole, roomId), range(firstSeq, next));
      whole.close();
    }
  });

  test("the newest event stays, however old it is", async () => {
    const { host, roomId } = guests;
    const last = await write(host, roomId, 5);
    await host.call(updateRoom, { roomId, topic: "The last word" });
    ahead += 2 * hour;
    const { firstSeq, lastSeq } = await trimmed(host, roomId, 1800);
    assert.ok(firstSeq > last && firstSeq <= lastSeq);
    assert.equal(await write(host, roomId, 1), lastSeq + 1);
  });

  test("only an owner says how long messages are kept", async () => {
    const { guests: people, roomId } = guests;
    await refused((people[0] as Person).call(updateRoom, { roomId, retentionSeconds: 60 }), Reason.ROLE_TOO_LOW);
  });
});

/** Sets how long messages are kept, and waits until the old ones have gone. */
async function trimmed(owner: Person, roomId: string, retentionSeconds: number): Promise<Room> {
  const { firstSeq = 0 } = (await owner.call(getRoom, { roomId })).room ?? {};
  await owner.call(updateRoom, { roomId, retentionSeconds });
  for (;;) {
    const { room } = await owner.call(getRoom, { roomId });
    if (room && room.firstSeq > firstSeq) return room;
  }
}

/** Sends so many messages; answers the `seq` of the last one. */
async function write(person: Person, roomId: string, count: number): Promise<number> {
  let last = 0;
  for (let n = 0; n < count; n++) last = (await person.call(sendMessage, { roomId, text: `text ${n}` })).message?.seq ?? 0;
  return last;
}

function stateOf(welcome: Welcome, roomId: string) {
  const state = welcome.rooms.find((room) => room.roomId === roomId);
  assert.ok(state, "the welcome does not name the room");
  return state;
}

function seqsOf(live: Live, roomId: string): number[] {
  return live.inbox.items.filter((event) => event.roomId === roomId && event.seq > 0).map(({ seq }) => seq);
}

function range(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from + 1) }, (_, i) => from + i);
}
