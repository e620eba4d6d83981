// Old messages go, and whoever looks for them is told so.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  ApiToken_Scope,
  AuthService,
  MessagesService,
  Reason,
  type Room,
  Room_Visibility,
  RoomsService,
  UsersService,
  type Welcome,
  Welcome_Outcome,
} from "@parlor/contract";
import { loadConfig, type RunningServer, startServer } from "../../src/index.ts";
import type { TestDatabase } from "../support/databases.ts";
import type { Driver, Live, Person } from "../support/drivers/driver.ts";
import { mqttDriver } from "../support/drivers/mqtt.ts";
import { connectDevice, type Device, eventsOf } from "../support/mqtt-device.ts";
import { newName, type Party, party } from "../support/party.ts";
import { type PausingDatabase, pausingDatabase } from "../support/pausing-database.ts";
import { refused } from "../support/refused.ts";
import { onEveryEngine, testEnvironment } from "../support/running.ts";

const { sendMessage, addReaction, listMessages, listEvents, getMessage } = MessagesService.method;
const { updateRoom, getRoom, listMembers } = RoomsService.method;
const { createApiToken, logOut } = AuthService.method;
const { getMe } = UsersService.method;
const hour = 3_600_000;

onEveryEngine("Retention", (engine) => {
  let fresh: TestDatabase;
  let database: PausingDatabase;
  let server: RunningServer;
  let guests: Party;
  let ahead = 0;
  before(async () => {
    fresh = await engine.fresh();
    // With so little in memory, readers catch up from the database.
    const env = { ...testEnvironment, PARLOR_RING_EVENTS: "2", PARLOR_ACCESS_TOKEN_LIFETIME: "1d", PARLOR_RETENTION: "365d" };
    const clock = { now: () => Date.now() + ahead };
    database = pausingDatabase(fresh.database);
    server = await startServer(loadConfig(env), { database, clock });
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

  test("who is catching up when old messages go is told on the stream what is missing, and goes on behind it", async () => {
    const { host, roomId } = guests;
    for (const [n, guest] of guests.guests.entries()) {
      const old = await write(host, roomId, 3);
      ahead += 2 * hour;
      await write(host, roomId, 3);
      const reading = database.pauseAt(/^select .* from "room_events"/);
      const live = await guest.connect([{ roomId, seq: old - 2 }]);
      assert.equal(stateOf(live.welcome, roomId).outcome, Welcome_Outcome.RECOVERED);
      await reading.reached;
      const { firstSeq } = await trimmed(host, roomId, 1800 + n);
      assert.equal(firstSeq, old + 1);
      reading.letGo();
      const last = await write(host, roomId, 1);
      await live.inbox.find((event) => event.seq === last);
      assert.deepEqual(seqsOf(live, roomId), range(firstSeq, last));
      assert.deepEqual(
        live.gaps.items.map(({ from, to }) => [from, to]),
        [[old - 1, old]],
      );
      live.close();
    }
  });

  for (const protocolVersion of [4, 5] as const)
    test(`a session of MQTT goes on behind what is gone, and is told so (level ${protocolVersion})`, async () => {
      const { host, roomId } = guests;
      const connect = (): Promise<Device> =>
        connectDevice(`mqtt://127.0.0.1:${server.port}`, {
          protocolVersion,
          clean: false,
          clientId: `sleeper${protocolVersion}`,
          username: host.user.username,
          password: host.token,
          ...(protocolVersion === 5 && { properties: { sessionExpiryInterval: 864_000 } }),
        });
      const seqs = ({ inbox }: Device): number[] => inbox.items.map(({ text }) => (JSON.parse(text) as { seq?: number }).seq ?? 0);
      const first = await connect();
      await first.client.subscribeAsync(eventsOf(roomId), { qos: 1 });
      await first.client.subscribeAsync("parlor/v1/me/gaps");
      const seen = await write(host, roomId, 1);
      await first.inbox.until(() => seqs(first).includes(seen));
      await first.client.endAsync();

      const old = await write(host, roomId, 5);
      ahead += 2 * hour;
      const recent = await write(host, roomId, 2);
      const { firstSeq } = await trimmed(host, roomId, 3600 - protocolVersion);
      assert.equal(firstSeq, old + 1);
      const second = await connect();
      await second.inbox.until(() => seqs(second).includes(recent));
      const [gap, ...events] = second.inbox.items;
      assert.equal(gap?.topic, "parlor/v1/me/gaps");
      assert.deepEqual(JSON.parse(gap?.text ?? ""), { roomId, from: seen + 1, to: old });
      assert.deepEqual(
        events.map(({ topic }) => topic),
        events.map(() => eventsOf(roomId)),
      );
      assert.deepEqual(seqs(second).slice(1), range(firstSeq, recent + 1));
      await second.client.endAsync();
      const third = await connect();
      const next = await write(host, roomId, 1);
      await third.inbox.until(() => seqs(third).includes(next));
      assert.deepEqual(seqs(third), [next]);
      await third.client.endAsync(true);
    });

  test("a device that is catching up then is told, too", async () => {
    const { host, roomId } = guests;
    const [{ token, user }] = guests.guests as [Person];
    const device = mqttDriver(server).withToken(token, user);
    const before = await device.connect();
    const seen = await write(host, roomId, 1);
    await before.inbox.find((event) => event.seq === seen);
    before.close();
    await before.ended;
    const old = await write(host, roomId, 3);
    ahead += 2 * hour;
    await write(host, roomId, 3);
    const reading = database.pauseAt(/^select .* from "room_events"/);
    const live = await device.connect();
    await reading.reached;
    const { firstSeq } = await trimmed(host, roomId, 1900);
    assert.equal(firstSeq, old + 1);
    reading.letGo();
    const last = await write(host, roomId, 1);
    await live.inbox.find((event) => event.seq === last);
    assert.deepEqual(seqsOf(live, roomId), range(firstSeq, last));
    assert.deepEqual(
      live.gaps.items.map(({ from, to }) => [from, to]),
      [[seen + 1, old]],
    );
    device.close();
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

  test("sessions and API tokens go 30 days after their end, whatever ended them, and no others", async () => {
    const [driver] = guests.drivers as [Driver];
    const username = newName();
    const person = await driver.signUp(username);
    const sessionsLeft = async (): Promise<string[]> => {
      const rows = fresh.store.selectFrom("sessions").select("id").where("user_id", "=", person.user.id).orderBy("created_at");
      return (await rows.execute()).map(({ id }) => id);
    };
    /** Lets time pass, and runs the job. */
    const later = async (days: number, goes: string): Promise<void> => {
      ahead += days * 24 * hour;
      const host = await driver.logIn(guests.host.user.username);
      await host.call(updateRoom, { roomId: guests.roomId, retentionSeconds: 3600 + days });
      while ((await sessionsLeft()).includes(goes));
      host.close();
    };
    const bot = await person.call(createApiToken, { name: "bot", scopes: [ApiToken_Scope.READ] });
    const left = await driver.logIn(username);
    const [forgotten, token, ended] = (await sessionsLeft()) as [string, string, string];
    await left.call(logOut, {});
    await later(31, ended);
    assert.deepEqual(await sessionsLeft(), [forgotten, token]);
    // Its refresh token was good for 30 days.
    await later(30, forgotten);
    assert.deepEqual(await sessionsLeft(), [token]);
    const asBot = driver.withToken(bot.token, person.user);
    assert.equal((await asBot.call(getMe, {})).user?.username, username);
    for (const one of [person, left, asBot]) one.close();
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
