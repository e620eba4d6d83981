// The database goes away in the midst of things: what was acknowledged is there, what was sent once is there once.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { MessagesService, RoomsService } from "@parlor/contract";
import { loadConfig, type RunningServer, startServer } from "../../src/index.ts";
import { type Cut, CuttingProxy } from "../support/cutting-proxy.ts";
import type { Driver, Person } from "../support/drivers/driver.ts";
import { driversOf } from "../support/drivers/index.ts";
import { newName } from "../support/party.ts";
import { PrivatePostgres, whyNoPrivatePostgres } from "../support/private-postgres.ts";
import { testEnvironment } from "../support/running.ts";

const { sendMessage, editMessage, listMessages, listEvents } = MessagesService.method;

describe("a server whose PostgreSQL goes away", { skip: whyNoPrivatePostgres ?? false }, () => {
  let postgres: PrivatePostgres;
  let proxy: CuttingProxy;
  let server: RunningServer;
  let person: Person;

  before(async () => {
    postgres = await PrivatePostgres.start();
    proxy = await CuttingProxy.start(postgres.url);
    server = await startServer(loadConfig({ ...testEnvironment, DATABASE_URL: proxy.url }));
    const [driver] = driversOf({ port: server.port, url: server.url });
    person = await (driver as Driver).signUp(newName());
  });
  after(async () => {
    person.close();
    await server.close();
    await proxy[Symbol.asyncDispose]();
    await postgres[Symbol.asyncDispose]();
  });

  const newRoom = async (): Promise<string> => (await person.call(RoomsService.method.createRoom, { name: "Storm" })).room?.id ?? "";
  const textsIn = async (roomId: string): Promise<string[]> => {
    const texts: string[] = [];
    for (let afterSeq = 0; ; ) {
      const { messages } = await person.call(listMessages, { roomId, afterSeq, pageSize: 200 });
      if (messages.length === 0) return texts;
      texts.push(...messages.map(({ text }) => text));
      afterSeq = messages.at(-1)?.seq ?? 0;
    }
  };

  const statements = { "the statement of a send": /^\s*with added as/, "the COMMIT of a transaction": /^commit$/ };
  for (const cut of ["before", "after"] satisfies Cut[]) {
    it(`answers a send whose statement was lost ${cut} it was carried out, and stores it once`, async () => {
      const roomId = await newRoom();
      await person.call(sendMessage, { roomId, text: "warm" });
      const broken = proxy.cutAt(statements["the statement of a send"], cut);
      const answers = await Promise.all([1, 2, 3].map((n) => person.call(sendMessage, { roomId, text: `text ${n}` })));
      await broken;
      assert.deepEqual(await textsIn(roomId), ["warm", "text 1", "text 2", "text 3"]);
      assert.deepEqual(
        answers.map(({ message, duplicate }) => ({ text: message?.text, duplicate })),
        [1, 2, 3].map((n) => ({ text: `text ${n}`, duplicate: false })),
      );
    });

    it(`answers a change whose COMMIT was lost ${cut} it was carried out, and makes it once`, async () => {
      const roomId = await newRoom();
      const { message } = await person.call(sendMessage, { roomId, text: "first" });
      const broken = proxy.cutAt(statements["the COMMIT of a transaction"], cut);
      const edited = await person.call(editMessage, { roomId, messageId: message?.id ?? "", text: "second" });
      await broken;
      assert.equal(edited.message?.text, "second");
      const { events } = await person.call(listEvents, { roomId });
      assert.equal(events.filter(({ kind }) => kind.case === "messageEdited").length, 1);
      assert.deepEqual(await textsIn(roomId), ["second"]);
    });
  }

  it("loses and doubles nothing when PostgreSQL crashes and comes back, and sends again within five seconds", async () => {
    const rooms = await Promise.all(Array.from({ length: 6 }, newRoom));
    const acknowledged: { readonly text: string; readonly at: number }[] = [];
    let sending = true;
    const writer = async (roomId: string, name: string): Promise<void> => {
      for (let n = 0; sending; n++) {
        const text = `${name} ${n}`;
        await person.call(sendMessage, { roomId, text });
        acknowledged.push({ text, at: performance.now() });
      }
    };
    const writers = rooms.flatMap((roomId, room) => [0, 1, 2].map((n) => writer(roomId, `${room}-${n}`)));
    let up = 0;
    for (const mode of ["immediate", "fast"] as const) {
      await until(() => acknowledged.filter(({ at }) => at > up).length > 200);
      await postgres.restart(mode);
      up = performance.now();
    }
    await until(() => acknowledged.filter(({ at }) => at > up).length > 200);
    sending = false;
    await Promise.all(writers);
    const first = Math.min(...acknowledged.filter(({ at }) => at > up).map(({ at }) => at));
    assert.ok(first - up < 5000, `the first send was acknowledged ${first - up} ms after the server was up`);
    const stored = (await Promise.all(rooms.map(textsIn))).flat();
    assert.deepEqual(stored.toSorted(), acknowledged.map(({ text }) => text).toSorted());
  });
});

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}
