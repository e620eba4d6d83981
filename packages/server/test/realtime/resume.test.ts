// Whoever comes back gets exactly what was missed, or is told what is missing.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import {
  type Event,
  MessagesService,
  ParlorError,
  Reason,
  Room_Visibility,
  RoomsService,
  type Welcome,
  Welcome_Outcome,
} from "@parlor/contract";
import type { Live, Person } from "../support/drivers/driver.ts";
import { driversOf } from "../support/drivers/index.ts";
import { newName, type Party, party } from "../support/party.ts";
import { Random, seedOfRun } from "../support/random.ts";
import { refused } from "../support/refused.ts";
import { onEveryEngine, type Running, running } from "../support/running.ts";

const limits = { PARLOR_RING_EVENTS: "8", PARLOR_CATCH_UP_PAGE: "5", PARLOR_RESUME_MAX_EVENTS: "40", PARLOR_CONNECTIONS_PER_USER: "1000" };
const nowhere = "01900000-0000-7000-8000-000000000000";

function stateOf(welcome: Welcome, roomId: string) {
  const state = welcome.rooms.find((room) => room.roomId === roomId);
  assert.ok(state, "the welcome does not name the room");
  return state;
}

function seqsOf(live: Live, roomId: string): number[] {
  return live.inbox.items.filter((event: Event) => event.roomId === roomId && event.seq > 0).map(({ seq }) => seq);
}

function range(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from + 1) }, (_, i) => from + i);
}

/** Sends so many messages; answers the `seq` of the last one. */
async function write(person: Person, roomId: string, count: number): Promise<number> {
  let last = 0;
  for (let n = 0; n < count; n++) {
    const { message } = await person.call(MessagesService.method.sendMessage, { roomId, text: `text ${n}` });
    last = message?.seq ?? 0;
  }
  return last;
}

onEveryEngine("Resume", (engine) => {
  let server: Running;
  before(async () => {
    server = await running(engine, limits);
  });
  after(() => server[Symbol.asyncDispose]());

  for (const way of [0, 1, 2]) {
    describe(["gRPC", "WebSocket JSON", "WebSocket protobuf"][way] as string, { timeout: 60_000 }, () => {
      let guests: Party;
      let guest: Person;
      before(async () => {
        guests = await party(server);
        guest = guests.guests[way] as Person;
      });
      after(() => guests[Symbol.dispose]());

      for (const missed of [0, 3, 8, 9, 30, 40]) {
        test(`${missed} events were missed`, async () => {
          const { host, roomId } = guests;
          const head = await write(host, roomId, 45);
          const live = await guest.connect([{ roomId, seq: head - missed }]);
          const state = stateOf(live.welcome, roomId);
          assert.deepEqual([state.outcome, state.lastSeq, state.gap], [Welcome_Outcome.RECOVERED, head, undefined]);
          const next = await write(host, roomId, 2);
          await live.inbox.find((event) => event.seq === next);
          assert.deepEqual(seqsOf(live, roomId), range(head - missed + 1, next));
          live.close();
        });
      }

      test("too many were missed", async () => {
        const { host, roomId } = guests;
        const head = await write(host, roomId, 45);
        const live = await guest.connect([{ roomId, seq: head - 41 }]);
        const { outcome, gap } = stateOf(live.welcome, roomId);
        assert.equal(outcome, Welcome_Outcome.GAP);
        assert.deepEqual([gap?.roomId, gap?.from, gap?.to], [roomId, head - 40, head]);
        const next = await write(host, roomId, 1);
        await live.inbox.find((event) => event.seq === next);
        assert.deepEqual(seqsOf(live, roomId), [next]);
        live.close();
      });

      test("a room that is not named goes on from now", async () => {
        const { host, roomId } = guests;
        const live = await guest.connect();
        assert.equal(stateOf(live.welcome, roomId).outcome, Welcome_Outcome.OUTCOME_UNSPECIFIED);
        const next = await write(host, roomId, 1);
        await live.inbox.find((event) => event.seq === next);
        assert.deepEqual(seqsOf(live, roomId), [next]);
        live.close();
      });

      test("a cursor in the future is refused and named", async () => {
        const { roomId } = guests;
        const error = await refused(guest.connect([{ roomId, seq: 1_000_000 }]), Reason.SEQ_IN_FUTURE);
        assert.ok(error instanceof ParlorError);
        assert.deepEqual(
          error.violations.map(({ field }) => field),
          ["hello.resume[0].seq"],
        );
      });

      test("a room of others is like none", async () => {
        const { room } = await guests.host.call(RoomsService.method.createRoom, { name: "Others" });
        const roomId = room?.id ?? "";
        const live = await guest.connect([
          { roomId, seq: 1 },
          { roomId: nowhere, seq: 1 },
        ]);
        for (const id of [roomId, nowhere]) {
          const { outcome, lastSeq, readSeq, gap } = stateOf(live.welcome, id);
          assert.deepEqual([outcome, lastSeq, readSeq, gap], [Welcome_Outcome.NOT_EXISTING, 0, 0, undefined]);
        }
        live.close();
      });

      test("removed, and added again", async () => {
        const { host, roomId } = guests;
        const head = await write(host, roomId, 1);
        await host.call(RoomsService.method.removeMember, { roomId, userId: guest.user.id });
        const away = await guest.connect([{ roomId, seq: head }]);
        assert.equal(stateOf(away.welcome, roomId).outcome, Welcome_Outcome.NOT_EXISTING);
        await write(host, roomId, 3);
        await host.call(RoomsService.method.setMember, { roomId, userId: guest.user.id });
        await away.inbox.find(({ kind }) => kind.case === "roomEntered");
        const back = await guest.connect([{ roomId, seq: head }]);
        assert.equal(stateOf(back.welcome, roomId).outcome, Welcome_Outcome.RECOVERED);
        const last = await write(host, roomId, 2);
        for (const live of [away, back]) await live.inbox.find((event) => event.seq === last);
        assert.deepEqual(seqsOf(back, roomId), range(head + 1, last));
        assert.deepEqual(seqsOf(away, roomId), range(head + 5, last), "what happened while away came too");
        for (const live of [away, back]) live.close();
      });
    });
  }

  const random = new Random(seedOfRun());
  test(`no hole and no repeat at the seam while others write, seed ${random.seed}`, { timeout: 60_000 }, async () => {
    const drivers = driversOf(server);
    const people = await Promise.all(range(0, 5).map((n) => drivers[n % 3]?.signUp(newName()))).then((all) =>
      all.filter((one) => one !== undefined),
    );
    const [host, ...others] = people as [Person, ...Person[]];
    const memberIds = others.map(({ user }) => user.id);
    const { room } = await host.call(RoomsService.method.createRoom, { name: "Seam", visibility: Room_Visibility.PRIVATE, memberIds });
    const roomId = room?.id ?? "";
    let head = await write(host, roomId, 30);
    const comers = [];
    for (let round = 0; round < 20; round++) {
      const writing = Promise.all(people.map((person) => write(person, roomId, 1 + random.below(3))));
      for (let n = random.below(8); n >= 0; n--) comers.push(comeBack(random.pick(people), roomId, head - random.below(15)));
      head = Math.max(...(await writing));
    }
    for (const { live, cursor } of await Promise.all(comers)) {
      await live.inbox.find((event) => event.seq === head);
      assert.deepEqual(seqsOf(live, roomId), range(cursor + 1, head));
    }
    for (const person of people) person.close();
    assert.deepEqual(server.faults, []);
  });
});

async function comeBack(person: Person, roomId: string, cursor: number): Promise<{ readonly live: Live; readonly cursor: number }> {
  return { live: await person.connect([{ roomId, seq: cursor }]), cursor };
}
