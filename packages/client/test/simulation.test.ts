// Whole lives of a client on a network and a server that go wrong in every way, decided by a seed. `PARLOR_SEED=7` replays one.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Event, type Gap, ParlorClient, ParlorError } from "../src/index.ts";
import { OTHER_ROOM, ROOM } from "./support/events.ts";
import { ManualClock } from "./support/manual-clock.ts";
import { seeded } from "./support/random.ts";
import { simulatedNetwork } from "./support/sim-network.ts";
import { SimServer } from "./support/sim-server.ts";

const SEEDS = 150;
const STEPS = 250;
const ROOMS = [ROOM, OTHER_ROOM];

/** What a reader was told, in order. */
type Told = { readonly event: Event } | { readonly gap: Gap };

interface Sent {
  readonly roomId: string;
  readonly key: string;
  /** How often its promise was settled, and with what. */
  readonly outcomes: (number | ParlorError)[];
}

/** One life: a client that sends and reads, slowly at times, while others write and things break. */
class Life {
  readonly random: () => number;
  readonly clock = new ManualClock();
  readonly server: SimServer;
  readonly client: ParlorClient;
  readonly heard: Told[] = [];
  readonly read: Told[] = [];
  readonly sends: Sent[] = [];
  readonly #loop: AsyncIterator<Event>;
  #reading = false;

  constructor(seed: number, fillGaps: boolean) {
    this.random = seeded(seed);
    this.server = new SimServer(ROOMS, this.clock, this.random);
    this.client = new ParlorClient({
      url: "http://simulated",
      token: "token",
      format: seed % 2 === 0 ? "json" : "proto",
      clock: this.clock,
      random: this.random,
      WebSocket: simulatedNetwork(this.clock, this.random, this.server.accept),
      fetch: this.server.fetch,
      fillGaps,
      resume: ROOMS.map((roomId) => ({ roomId, seq: 0 })),
    });
    this.client.on("event", (event) => this.heard.push({ event }));
    this.client.on("gap", (gap) => this.heard.push({ gap }));
    this.#loop = this.client.events({ buffer: 8, onGap: (gap) => this.read.push({ gap }) });
  }

  async live(): Promise<void> {
    void this.client.connect();
    await this.#settled();
    for (let step = 0; step < STEPS; step += 1) {
      this.#act();
      this.clock.advance(this.random() * 40);
      await this.#settled();
    }
  }

  /** Everything works again: all that is under way comes to its end. */
  async recover(): Promise<void> {
    this.server.troubled = false;
    for (let round = 0; round < 100; round += 1) await this.#pass(1000);
    // A hole at the very end shows with the next event.
    for (const roomId of ROOMS) this.server.write(roomId);
    for (let round = 0; round < 60; round += 1) await this.#pass(1000);
    this.client.close();
  }

  async #pass(ms: number): Promise<void> {
    this.clock.advance(ms);
    await this.#settled();
    for (let count = 0; count < 20; count += 1) {
      this.#readOne();
      await Promise.resolve();
    }
    await this.#settled();
  }

  #act(): void {
    const luck = this.random();
    const roomId = ROOMS[this.random() < 0.7 ? 0 : 1] as string;
    if (luck < 0.25) this.#send(roomId);
    else if (luck < 0.65) this.server.write(roomId);
    else if (luck < 0.95) this.#readOne();
    else this.server.disturb();
  }

  #send(roomId: string): void {
    const sent: Sent = { roomId, key: `key ${this.sends.length}`, outcomes: [] };
    this.sends.push(sent);
    const sending = this.client.send(roomId, `mine ${this.sends.length}`, { clientMessageId: sent.key });
    sending.then(
      ({ message }) => sent.outcomes.push(message?.seq as number),
      (error: ParlorError) => sent.outcomes.push(error),
    );
  }

  #readOne(): void {
    if (this.#reading) return;
    this.#reading = true;
    void this.#loop.next().then(({ done, value }) => {
      this.#reading = false;
      if (!done) this.read.push({ event: value });
    });
  }

  /** Everything that can happen without time has happened. */
  async #settled(): Promise<void> {
    await new Promise(setImmediate);
  }
}

/** Every `seq` of a room's log once and in order, as an event or within a gap. */
function assertComplete(told: readonly Told[], roomId: string, log: readonly Event[]): void {
  let next = 1;
  for (const item of told) {
    if ("gap" in item) {
      if (item.gap.roomId !== roomId) continue;
      assert.equal(item.gap.from, next);
      next = item.gap.to + 1;
    } else if (item.event.roomId === roomId) {
      assert.equal(item.event.seq, next);
      assert.deepEqual(item.event.kind, log[next - 1]?.kind);
      next += 1;
    }
  }
  assert.equal(next, log.length + 1);
}

/** Every send settled once; those that succeeded are in the log once, in the order in which they were made. */
function assertSends(sends: readonly Sent[], log: readonly Event[]): void {
  const keys = log.map(({ kind }) => (kind.case === "messageSent" ? kind.value.message?.clientMessageId : ""));
  let last = 0;
  for (const { key, outcomes } of sends) {
    assert.equal(outcomes.length, 1, key);
    const [outcome] = outcomes;
    if (outcome instanceof ParlorError) assert.ok(!keys.includes(key));
    else assert.deepEqual([keys.indexOf(key) + 1, keys.lastIndexOf(key) + 1], [outcome, outcome]);
    if (outcome instanceof ParlorError) continue;
    assert.ok((outcome as number) > last, "in order");
    last = outcome as number;
  }
}

const chosen = process.env["PARLOR_SEED"];
const seeds = chosen === undefined ? Array.from({ length: SEEDS }, (_, seed) => seed) : [Number(chosen)];

for (const fillGaps of [false, true]) {
  test(`whatever goes wrong, nothing is lost, doubled or out of order (fillGaps: ${fillGaps})`, async () => {
    for (const seed of seeds) {
      const life = new Life(seed, fillGaps);
      await life.live();
      await life.recover();
      try {
        for (const [roomId, log] of life.server.logs) {
          assertComplete(life.heard, roomId, log);
          assertComplete(life.read, roomId, log);
          assertSends(
            life.sends.filter((sent) => sent.roomId === roomId),
            log,
          );
        }
        if (fillGaps) assert.ok(!life.heard.some((item) => "gap" in item), "no gap is left");
      } catch (error) {
        throw new Error(`with PARLOR_SEED=${seed}`, { cause: error });
      }
    }
  });
}
