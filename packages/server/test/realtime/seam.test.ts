// The seam of a resume when the Store is ahead of the node: what is committed, but not yet answered, comes once.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { MessagesService, RoomsService } from "@parlor/contract";
import { loadConfig, type RunningServer, startServer } from "../../src/index.ts";
import { driversOf } from "../support/drivers/index.ts";
import { type HeldDatabase, heldDatabase } from "../support/held-database.ts";
import { newName } from "../support/party.ts";
import { onEveryEngine, testEnvironment } from "../support/running.ts";

/** Of these few events none is in memory when a page of the Store is needed. */
const limits = { PARLOR_RING_EVENTS: "2", PARLOR_CATCH_UP_PAGE: "50" };

onEveryEngine("A page of the Store that reaches beyond the head", ({ fresh }) => {
  let database: HeldDatabase;
  let server: RunningServer;
  let close: () => Promise<void>;
  before(async () => {
    const made = await fresh();
    database = heldDatabase(made.database);
    close = made.close;
    server = await startServer(loadConfig({ ...testEnvironment, ...limits }), { database });
  });
  after(async () => {
    await server.close();
    await close();
  });

  for (const way of [0, 1, 2]) {
    test(`is not told twice over ${["gRPC", "WebSocket JSON", "WebSocket protobuf"][way]}`, { timeout: 20_000 }, async () => {
      const driver = driversOf({ port: server.port, url: `http://127.0.0.1:${server.port}` })[way];
      assert.ok(driver);
      const person = await driver.signUp(newName());
      const { room } = await person.call(RoomsService.method.createRoom, { name: "Seam" });
      const roomId = room?.id ?? "";
      const send = (text: string) => person.call(MessagesService.method.sendMessage, { roomId, text });
      for (const text of ["one", "two", "three", "four"]) await send(text);

      const commit = database.holdNextCommit();
      const sending = send("committed, and nobody knows");
      await commit.done;
      const live = await person.connect([{ roomId, seq: 1 }]);
      await live.inbox.find(({ seq }) => seq >= (room?.lastSeq ?? 0) + 4);
      commit.release();
      await sending;
      const { message } = await send("the last one");
      const last = message?.seq ?? 0;
      await live.inbox.find(({ seq }) => seq === last);
      const seqs = live.inbox.items.filter((event) => event.roomId === roomId && event.seq > 0).map(({ seq }) => seq);
      assert.deepEqual(
        seqs,
        Array.from({ length: last - 1 }, (_, i) => i + 2),
      );
      person.close();
    });
  }
});
