// What every engine of the Bus port must do. An engine's own test file calls this.
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
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

/** @param createNetwork makes nodes that hear of each other, and of no others; a subscription counts at the latest when `settled` has resolved. */
export function busSuite(engine: string, createNetwork: () => Promise<BusNetwork>, settled: () => Promise<void>): void {
  describe(`Bus of ${engine}`, () => {
    let network: BusNetwork;
    let a: Bus;
    let b: Bus;
    beforeEach(async () => {
      network = await createNetwork();
      [a, b] = [await network.join(), await network.join()];
    });
    afterEach(() => network.close());

    it("brings payloads to the other nodes in order, once", async () => {
      const listener = listen(b, "room");
      await settled();
      const sent = Array.from({ length: 500 }, (_, n) => `${n}`);
      for (const text of sent) a.publish("room", bytes(text));
      assert.deepEqual(await listener.upTo("499"), sent);
    });

    it("brings nothing back to the node that published", async () => {
      const [own, other] = [listen(a, "room"), listen(b, "room")];
      await settled();
      a.publish("room", bytes("from a"));
      await other.upTo("from a");
      b.publish("room", bytes("from b"));
      assert.deepEqual(await own.upTo("from b"), ["from b"]);
    });

    it("keeps topics apart", async () => {
      const [one, two] = [listen(b, "one"), listen(b, "two")];
      await settled();
      a.publish("one", bytes("1"));
      a.publish("two", bytes("2"));
      assert.deepEqual(await two.upTo("2"), ["2"]);
      assert.deepEqual(await one.upTo("1"), ["1"]);
    });

    it("brings a payload to every subscription of every other node", async () => {
      const c = await network.join();
      const listeners = [listen(b, "room"), listen(b, "room"), listen(c, "room")];
      await settled();
      a.publish("room", bytes("hello"));
      for (const listener of listeners) assert.deepEqual(await listener.upTo("hello"), ["hello"]);
    });

    it("carries any bytes", async () => {
      const every = new Uint8Array(256).map((_, index) => index);
      const received = Promise.withResolvers<Uint8Array>();
      b.subscribe("room", received.resolve, () => {});
      await settled();
      a.publish("room", every);
      assert.deepEqual(new Uint8Array(await received.promise), every);
    });

    it("tells nothing to a subscription that ended, and everything to the others", async () => {
      const [ended, going] = [listen(b, "room"), listen(b, "room")];
      await settled();
      ended.stop();
      ended.stop();
      a.publish("room", bytes("hello"));
      await going.upTo("hello");
      assert.deepEqual(ended.heard, []);
    });

    it("does not run handlers inside of publish", async () => {
      const listener = listen(b, "room");
      await settled();
      a.publish("room", bytes("hello"));
      assert.deepEqual(listener.heard, []);
      await listener.upTo("hello");
    });

    it("reports a loss once to every subscription, and goes on", async () => {
      const listeners = [listen(b, "one"), listen(b, "two")];
      await settled();
      const heal = await network.interrupt();
      a.publish("one", bytes("lost"));
      await heal();
      for (const listener of listeners) await listener.until(() => listener.gaps > 0);
      await settled();
      a.publish("one", bytes("after"));
      assert.deepEqual(await listeners[0]?.upTo("after"), ["after"]);
      assert.deepEqual(
        listeners.map(({ gaps }) => gaps),
        [1, 1],
      );
    });

    it("is silent after close, and closes twice", async () => {
      const [closed, going] = [listen(b, "room"), listen(await network.join(), "room")];
      await settled();
      await b.close();
      await b.close();
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
