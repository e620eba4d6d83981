// What every engine of the Bus port must do. An engine's own test file calls this.
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { Bus } from "../../src/ports/bus.ts";

export interface BusNetwork {
  /** The bus of another node. */
  join(): Promise<Bus>;
  /** Cuts all nodes off; the returned function lets them find each other again. */
  interrupt(): Promise<() => Promise<void>>;
  close(): Promise<void>;
}

/** Collects what a subscription hears, and waits for it. */
class Listener {
  readonly heard: string[] = [];
  gaps = 0;
  #notify = () => {};

  readonly handler = (payload: Uint8Array) => {
    this.heard.push(new TextDecoder().decode(payload));
    this.#notify();
  };
  readonly onGap = () => {
    this.gaps++;
    this.#notify();
  };

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      await new Promise<void>((resolve) => {
        this.#notify = resolve;
      });
    }
  }

  /** Waits for this payload, and says what came until then. */
  async upTo(last: string): Promise<readonly string[]> {
    await this.until(() => this.heard.includes(last));
    return this.heard;
  }
}

function listen(bus: Bus, topic: string): Listener & { stop: () => void } {
  const listener = new Listener();
  return Object.assign(listener, { stop: bus.subscribe(topic, listener.handler, listener.onGap) });
}

const bytes = (text: string) => new TextEncoder().encode(text);

let probes = 0;

/** Resolves when each bus hears the others: whatever was subscribed to before counts from then on. */
async function settled(buses: readonly Bus[]): Promise<void> {
  // Several topics, since a cluster keeps them in several places.
  const topics = Array.from({ length: 8 }, () => `probe-${++probes}`);
  const silent = new Set<string>();
  const ends = topics.flatMap((topic) =>
    buses.map((bus, to) => {
      for (const from of buses.keys()) if (from !== to) silent.add(`${topic} ${from} ${to}`);
      return bus.subscribe(
        topic,
        (payload) => silent.delete(`${topic} ${new TextDecoder().decode(payload)} ${to}`),
        () => {},
      );
    }),
  );
  while (silent.size > 0) {
    for (const topic of topics) for (const [from, bus] of buses.entries()) bus.publish(topic, bytes(String(from)));
    await delay(5);
  }
  for (const end of ends) end();
}

/** Resolves when whoever listens has also been told that it does: gaps are counted from then on. */
async function inEffect(buses: readonly Bus[], listeners: readonly Listener[]): Promise<void> {
  await settled(buses);
  // What was told beside the first probes is here before the second ones.
  await settled(buses);
  for (const listener of listeners) listener.gaps = 0;
}

/** @param createNetwork makes nodes that hear of each other, and of no others */
export function busSuite(
  engine: string,
  createNetwork: () => Promise<BusNetwork>,
  { skip }: { readonly skip?: string | undefined } = {},
): void {
  describe(`Bus of ${engine}`, { skip: skip ?? false, timeout: 60_000 }, () => {
    let network: BusNetwork;
    let buses: Bus[];
    let a: Bus;
    let b: Bus;
    const join = async (): Promise<Bus> => {
      const bus = await network.join();
      buses.push(bus);
      return bus;
    };
    beforeEach(async () => {
      network = await createNetwork();
      buses = [];
      [a, b] = [await join(), await join()];
    });
    afterEach(async () => {
      await Promise.all(buses.map((bus) => bus.close()));
      await network.close();
    });

    it("brings payloads to the other nodes in order, once", async () => {
      const listener = listen(b, "room");
      await settled(buses);
      const sent = Array.from({ length: 500 }, (_, n) => `${n}`);
      for (const text of sent) a.publish("room", bytes(text));
      assert.deepEqual(await listener.upTo("499"), sent);
    });

    it("brings nothing back to the node that published", async () => {
      const [own, other] = [listen(a, "room"), listen(b, "room")];
      await settled(buses);
      a.publish("room", bytes("from a"));
      await other.upTo("from a");
      b.publish("room", bytes("from b"));
      assert.deepEqual(await own.upTo("from b"), ["from b"]);
    });

    it("keeps topics apart", async () => {
      const [one, two] = [listen(b, "one"), listen(b, "two")];
      await settled(buses);
      a.publish("one", bytes("1"));
      a.publish("two", bytes("2"));
      assert.deepEqual(await two.upTo("2"), ["2"]);
      assert.deepEqual(await one.upTo("1"), ["1"]);
    });

    it("brings a payload to every subscription of every other node", async () => {
      const c = await join();
      const listeners = [listen(b, "room"), listen(b, "room"), listen(c, "room")];
      await settled(buses);
      a.publish("room", bytes("hello"));
      for (const listener of listeners) assert.deepEqual(await listener.upTo("hello"), ["hello"]);
    });

    it("carries any bytes", async () => {
      const every = new Uint8Array(256).map((_, index) => index);
      const received = Promise.withResolvers<Uint8Array>();
      b.subscribe("room", received.resolve, () => {});
      await settled(buses);
      a.publish("room", every);
      assert.deepEqual(new Uint8Array(await received.promise), every);
    });

    it("tells nothing to a subscription that ended, and everything to the others", async () => {
      const [ended, going] = [listen(b, "room"), listen(b, "room")];
      await settled(buses);
      ended.stop();
      ended.stop();
      a.publish("room", bytes("hello"));
      await going.upTo("hello");
      assert.deepEqual(ended.heard, []);
    });

    it("does not run handlers inside of publish", async () => {
      const listener = listen(b, "room");
      await settled(buses);
      a.publish("room", bytes("hello"));
      assert.deepEqual(listener.heard, []);
      await listener.upTo("hello");
    });

    it("reports what a subscription may have missed before it took effect, and then misses nothing", async () => {
      await settled(buses);
      const listener = listen(b, "room");
      let sent = 0;
      while (listener.heard.length === 0 && listener.gaps === 0) {
        a.publish("room", bytes(String(sent++)));
        await delay(0);
      }
      a.publish("room", bytes("last"));
      await listener.upTo("last");
      const everything = [...Array.from({ length: sent }, (_, n) => `${n}`), "last"];
      if (listener.heard.length < everything.length) await listener.until(() => listener.gaps === 1);
      assert.deepEqual(listener.heard, everything.slice(-listener.heard.length));
    });

    it("reports a loss once to every subscription, and goes on", async () => {
      const listeners = [listen(b, "one"), listen(b, "two")];
      await inEffect(buses, listeners);
      const heal = await network.interrupt();
      a.publish("one", bytes("lost"));
      await heal();
      for (const listener of listeners) await listener.until(() => listener.gaps > 0);
      await settled(buses);
      a.publish("one", bytes("after"));
      assert.deepEqual(await listeners[0]?.upTo("after"), ["after"]);
      assert.deepEqual(
        listeners.map(({ gaps }) => gaps),
        [1, 1],
      );
    });

    it("hears a topic again that it had left", async () => {
      for (let round = 0; round < 3; round++) listen(b, "room").stop();
      const first = listen(b, "room");
      await settled(buses);
      first.stop();
      const second = listen(b, "room");
      await settled(buses);
      a.publish("room", bytes("hello"));
      assert.deepEqual(await second.upTo("hello"), ["hello"]);
      assert.deepEqual(first.heard, []);
    });

    it("takes publishes and subscriptions while it is cut off, and hears what comes afterwards", async () => {
      const [left, kept] = [listen(b, "left"), listen(b, "kept")];
      await inEffect(buses, [left, kept]);
      const heal = await network.interrupt();
      left.stop();
      const fresh = listen(b, "fresh");
      for (let n = 0; n < 1000; n++) a.publish("kept", new Uint8Array(1000));
      await heal();
      await kept.until(() => kept.gaps > 0);
      await settled(buses);
      for (const topic of ["left", "fresh", "kept"]) a.publish(topic, bytes("after"));
      await kept.upTo("after");
      assert.deepEqual(await fresh.upTo("after"), ["after"]);
      assert.deepEqual(left.heard, []);
    });

    it("survives being cut off again and again", async () => {
      const listener = listen(b, "room");
      await inEffect(buses, [listener]);
      for (let round = 1; round <= 3; round++) {
        await (await network.interrupt())();
        await listener.until(() => listener.gaps >= round);
        await settled(buses);
        a.publish("room", bytes(`round ${round}`));
        await listener.upTo(`round ${round}`);
      }
      assert.deepEqual(listener.heard, ["round 1", "round 2", "round 3"]);
      assert.equal(listener.gaps, 3);
    });

    it("carries many topics and large payloads", async () => {
      const topics = Array.from({ length: 1200 }, (_, n) => `room:${n}`);
      const listeners = topics.map((topic) => listen(b, topic));
      const large = Promise.withResolvers<Uint8Array>();
      b.subscribe("large", large.resolve, () => {});
      await settled(buses);
      for (const topic of topics) a.publish(topic, bytes(topic));
      a.publish("large", new Uint8Array(1024 * 1024).fill(7));
      for (const [n, listener] of listeners.entries()) assert.deepEqual(await listener.upTo(`room:${n}`), [`room:${n}`]);
      assert.ok(Buffer.from(await large.promise).equals(Buffer.alloc(1024 * 1024, 7)));
    });

    it("is silent after close, and closes twice", async () => {
      const [closed, going] = [listen(b, "room"), listen(await join(), "room")];
      await settled(buses);
      await b.close();
      await b.close();
      assert.equal(buses.splice(buses.indexOf(b), 1).length, 1);
      b.publish("room", bytes("from the closed one"));
      b.subscribe(
        "room",
        () => {},
        () => {},
      )();
      a.publish("room", bytes("hello"));
      assert.deepEqual(await going.upTo("hello"), ["hello"]);
      assert.deepEqual(closed.heard, []);
    });
  });
}
