// Whoever applies every event to what they know must know what asking anew would tell, and the stream must say what the log says.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { applyEvent, type RoomState, roomState } from "@parlor/client";
import { type Event, EventSchema, MemberSchema, MessageSchema, Room_Visibility, RoomSchema, RoomsService } from "@parlor/contract";
import type { Driver, Live, Person } from "../support/drivers/driver.ts";
import { driversOf } from "../support/drivers/index.ts";
import { allEvents, allMembers, allMessages, asInLog, plain } from "../support/history.ts";
import { Life } from "../support/life.ts";
import { Random, seedOfRun } from "../support/random.ts";
import { onEveryEngine, type Running, running } from "../support/running.ts";

/** Reads the streams of one person, over one connection after another. */
class Reader {
  readonly #person: Person;
  readonly #states = new Map<string, RoomState>();
  readonly heard: Event[] = [];
  #live: Live | undefined;

  constructor(person: Person, roomIds: readonly string[]) {
    this.#person = person;
    for (const id of roomIds) this.#states.set(id, roomState(create(RoomSchema, { id })));
  }

  stateOf(roomId: string): RoomState {
    return this.#states.get(roomId) as RoomState;
  }

  async connect(): Promise<void> {
    const resume = [...this.#states.values()].map(({ room }) => ({ roomId: room.id, seq: room.lastSeq }));
    this.#live = await this.#person.connect(resume);
  }

  /** Gives up the connection, wherever it is, and takes what it has brought. */
  disconnect(): void {
    this.#live?.close();
    for (const event of this.#live?.inbox.items ?? []) if (event.seq > 0) this.#apply(event);
    this.#live = undefined;
  }

  async follow(roomId: string, seq: number): Promise<void> {
    if (this.stateOf(roomId).room.lastSeq < seq) await this.#live?.inbox.find((event) => event.roomId === roomId && event.seq >= seq);
  }

  #apply(event: Event): void {
    const state = this.#states.get(event.roomId);
    if (!state) return;
    assert.equal(event.seq, state.room.lastSeq + 1, "a hole or a repeat");
    this.heard.push(event);
    this.#states.set(event.roomId, applyEvent(state, event));
  }
}

onEveryEngine("Applying the events equals fetching anew", (engine) => {
  let server: Running;
  before(async () => {
    server = await running(engine, { PARLOR_RING_EVENTS: "16", PARLOR_CATCH_UP_PAGE: "7" });
  });
  after(() => server[Symbol.asyncDispose]());

  for (const way of [0, 1, 2]) {
    const random = new Random(seedOfRun());
    test(`read over ${["gRPC", "WebSocket JSON", "WebSocket protobuf"][way]}, seed ${random.seed}`, { timeout: 60_000 }, async () => {
      const drivers = driversOf(server);
      const reading = drivers[way] as Driver;
      const names = [0, 1, 2, 3].map((n) => `person-${random.seed}-${n}-${way}`.slice(0, 32));
      const people = await Promise.all(names.map((name, n) => (n === 0 ? reading : (drivers[n % 3] as Driver)).signUp(name)));
      try {
        await lifeAndTruth(new Life(people), random);
      } finally {
        for (const person of people) person.close();
      }
      assert.deepEqual(server.faults, []);
    });
  }
});

async function lifeAndTruth(life: Life, random: Random): Promise<void> {
  const made = [await life.makeRoom(Room_Visibility.PRIVATE), await life.makeRoom(Room_Visibility.PUBLIC)];
  const reader = new Reader(
    life.owner,
    made.map(({ id }) => id),
  );
  const bystanders = await Promise.all(life.people.slice(1).map((person) => person.connect()));
  for (let visit = 0; visit < 8; visit++) {
    await reader.connect();
    await life.live(random, 10 + random.below(30));
    reader.disconnect();
    await life.live(random, random.below(30));
  }
  await reader.connect();
  for (const { id } of made) {
    const { room } = await life.owner.call(RoomsService.method.getRoom, { roomId: id });
    await reader.follow(id, room?.lastSeq ?? 0);
  }
  reader.disconnect();
  for (const { id } of made) await compare(life.owner, reader, id, bystanders);
}

async function compare(owner: Person, reader: Reader, roomId: string, bystanders: readonly Live[]): Promise<void> {
  const state = reader.stateOf(roomId);
  const { room } = await owner.call(RoomsService.method.getRoom, { roomId });
  assert.ok(room && room.lastSeq > 20, "little happened");
  assert.deepEqual(plain(RoomSchema, [state.room]), plain(RoomSchema, [room]));
  assert.deepEqual(plain(MemberSchema, state.members), plain(MemberSchema, await allMembers(owner, roomId)));
  assert.deepEqual(plain(MessageSchema, state.messages), plain(MessageSchema, await allMessages(owner, roomId, 50)));

  const log = await allEvents(owner, roomId, 33);
  assert.deepEqual(
    log.map(({ seq }) => seq),
    log.map((_, i) => i + 1),
  );
  const ofRoom = (events: readonly Event[]): Event[] => events.filter((event) => event.roomId === roomId && event.seq > 0);
  const heard = ofRoom(reader.heard);
  assert.deepEqual(
    heard.map((event, i) => asInLog(event, log[i] as Event)),
    plain(EventSchema, log),
  );
  for (const { inbox } of bystanders) {
    let last = 0;
    for (const event of ofRoom(inbox.items)) {
      assert.ok(event.seq > last, "out of order");
      last = event.seq;
      assert.deepEqual(asInLog(event, log[last - 1] as Event), plain(EventSchema, [log[last - 1] as Event])[0]);
    }
  }
}
