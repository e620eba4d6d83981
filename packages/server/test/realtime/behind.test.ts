// What a node does that has not heard of the newest events: it asks the Store before it says that there are none.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type Event, MessagesService, Reason, RoomsService, Welcome_Outcome } from "@parlor/contract";
import { MemoryBusHub } from "../../src/engines/bus-memory.ts";
import { loadConfig, type RunningServer, startServer } from "../../src/index.ts";
import { engines, freshPostgres, type TestPostgres } from "../support/databases.ts";
import type { Driver, Live, Person } from "../support/drivers/driver.ts";
import { driversOf } from "../support/drivers/index.ts";
import { newName } from "../support/party.ts";
import { refused } from "../support/refused.ts";
import { testEnvironment } from "../support/running.ts";

const { createRoom } = RoomsService.method;
const { listEvents, listMessages, markRead, sendMessage } = MessagesService.method;
const postgres = engines.find(({ name }) => name === "postgres");

/** Two nodes that share a database, and no hint gets from one to the other. */
interface TwoNodes extends AsyncDisposable {
  /** By node: every way to speak to it. */
  readonly drivers: readonly (readonly Driver[])[];
}

async function twoNodes(): Promise<TwoNodes> {
  const database = await freshPostgres();
  const hub = new MemoryBusHub();
  hub.interrupt();
  const nodes = [await node(database, hub), await node(database, hub)];
  const close = async (): Promise<void> => {
    for (const one of nodes) await one.close();
    await database.close();
  };
  return { drivers: nodes.map(({ port }) => driversOf({ port, url: `http://127.0.0.1:${port}` })), [Symbol.asyncDispose]: close };
}

function node({ url }: TestPostgres, hub: MemoryBusHub): Promise<RunningServer> {
  return startServer(loadConfig({ ...testEnvironment, DATABASE_URL: url }), { bus: hub.join() });
}

function seqsOf(live: Live, roomId: string): number[] {
  return live.inbox.items.filter((event: Event) => event.roomId === roomId && event.seq > 0).map(({ seq }) => seq);
}

describe("A node that is behind", { skip: postgres?.missing ?? (postgres ? false : "not a run of PostgreSQL") }, () => {
  let nodes: TwoNodes;
  before(async () => {
    nodes = await twoNodes();
  });
  after(() => nodes[Symbol.asyncDispose]());

  for (const way of [0, 1, 2]) {
    describe(["gRPC", "WebSocket JSON", "WebSocket protobuf"][way] as string, { timeout: 60_000 }, () => {
      /** The same person on either node. */
      let here: Person;
      let there: Person;
      let roomId: string;
      let head: number;

      before(async () => {
        const [first, second] = nodes.drivers.map((drivers) => drivers[way] as Driver) as [Driver, Driver];
        here = await first.signUp(newName());
        there = second.withToken(here.token, here.user);
        const { room } = await here.call(createRoom, { name: "Behind" });
        roomId = room?.id ?? "";
        head = room?.lastSeq ?? 0;
      });
      after(() => {
        for (const person of [here, there]) person.close();
      });

      /** Writes on one node what the other does not hear of. */
      async function writeHere(count: number): Promise<void> {
        for (let n = 0; n < count; n++) {
          const { message } = await here.call(sendMessage, { roomId, text: `text ${head + 1}` });
          head = message?.seq ?? 0;
        }
      }

      test("has never heard of the room, and resumes it", async () => {
        await writeHere(3);
        const live = await there.connect([{ roomId, seq: head - 2 }]);
        await live.inbox.find(({ seq }) => seq === head);
        assert.deepEqual(seqsOf(live, roomId), [head - 1, head]);
        live.close();
      });

      test("resumes after an event that it has not heard of", async () => {
        await there.call(listEvents, { roomId });
        await writeHere(3);
        const after = await there.connect([{ roomId, seq: head }]);
        const state = after.welcome.rooms.find((room) => room.roomId === roomId);
        assert.deepEqual([state?.outcome, state?.lastSeq], [Welcome_Outcome.RECOVERED, head]);
        await writeHere(1);
        const before = await there.connect([{ roomId, seq: head - 1 }]);
        for (const live of [before, after]) {
          await live.inbox.find(({ seq }) => seq === head);
          assert.deepEqual(seqsOf(live, roomId), [head]);
          live.close();
        }
      });

      test("reads after, reads around, and marks an event that it has not heard of", async () => {
        for (const read of [
          () => there.call(listEvents, { roomId, afterSeq: head }),
          () => there.call(listMessages, { roomId, afterSeq: head }),
          () => there.call(listMessages, { roomId, aroundSeq: head }),
          () => there.call(markRead, { roomId, seq: head }),
        ]) {
          await writeHere(1);
          await read();
        }
      });

      test("pages through events that it has not heard of", async () => {
        await there.call(markRead, { roomId, seq: head });
        await writeHere(4);
        const first = await there.call(listEvents, { roomId, afterSeq: head - 4, pageSize: 2 });
        const second = await there.call(listEvents, { roomId, pageToken: first.nextPageToken, pageSize: 2 });
        assert.deepEqual(
          [...first.events, ...second.events].map(({ seq }) => seq),
          [head - 3, head - 2, head - 1, head],
        );
        assert.equal(second.nextPageToken, "");
      });

      test("still refuses what lies beyond the end", async () => {
        await writeHere(1);
        await refused(there.connect([{ roomId, seq: head + 1 }]), Reason.SEQ_IN_FUTURE);
        await refused(there.call(markRead, { roomId, seq: head + 1 }), Reason.SEQ_IN_FUTURE);
        await refused(there.call(listEvents, { roomId, afterSeq: head + 1 }), Reason.SEQ_IN_FUTURE);
      });
    });
  }
});
