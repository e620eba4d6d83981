// The database goes away in the midst of things: what was acknowledged is there, what was sent once is there once.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { MessagesService, RoomsService } from "@parlor/contract";
import { type Environment, loadConfig, type RunningServer, startServer } from "../../src/index.ts";
import type { Database } from "../../src/ports/database.ts";
import type { Driver, Person } from "../support/drivers/driver.ts";
import { driversOf } from "../support/drivers/index.ts";
import type { LossyDatabase } from "../support/lossy-database.ts";
import { lossyPglite } from "../support/lossy-pglite.ts";
import { lossyPostgres } from "../support/lossy-postgres.ts";
import { newName } from "../support/party.ts";
import { PrivatePostgres, whyNoPrivatePostgres } from "../support/private-postgres.ts";
import { onEveryEngine, testEnvironment } from "../support/running.ts";

const { sendMessage, editMessage, listMessages, listEvents } = MessagesService.method;

const lossyEngines = { pglite: lossyPglite, postgres: lossyPostgres } as const;

onEveryEngine("A server whose database is lost in the midst of a statement", ({ name }) => {
  let lossy: LossyDatabase;
  let writer: Writer;
  before(async () => {
    lossy = await lossyEngines[name]();
    writer = await Writer.start(testEnvironment, lossy.database);
  });
  after(async () => {
    await writer.close();
    await lossy[Symbol.asyncDispose]();
  });

  const statements = { "the statement of a send": /^\s*with added as/, "the COMMIT of a transaction": /^commit$/ };
  for (const cut of ["before", "after"] as const) {
    it(`answers a send whose statement was lost ${cut} it was carried out, and stores it once`, async () => {
      const roomId = await writer.newRoom();
      await writer.person.call(sendMessage, { roomId, text: "warm" });
      const lost = lossy.cutAt(statements["the statement of a send"], cut);
      const answers = await Promise.all([1, 2, 3].map((n) => writer.person.call(sendMessage, { roomId, text: `text ${n}` })));
      await lost;
      assert.deepEqual(await writer.textsIn(roomId), ["warm", "text 1", "text 2", "text 3"]);
      assert.deepEqual(
        answers.map(({ message, duplicate }) => ({ text: message?.text, duplicate })),
        [1, 2, 3].map((n) => ({ text: `text ${n}`, duplicate: false })),
      );
    });

    it(`answers a change whose COMMIT was lost ${cut} it was carried out, and makes it once`, async () => {
      const roomId = await writer.newRoom();
      const { message } = await writer.person.call(sendMessage, { roomId, text: "first" });
      const lost = lossy.cutAt(statements["the COMMIT of a transaction"], cut);
      const edited = await writer.person.call(editMessage, { roomId, messageId: message?.id ?? "", text: "second" });
      await lost;
      assert.equal(edited.message?.text, "second");
      const { events } = await writer.person.call(listEvents, { roomId });
      assert.equal(events.filter(({ kind }) => kind.case === "messageEdited").length, 1);
      assert.deepEqual(await writer.textsIn(roomId), ["second"]);
    });
  }
});

describe("a server whose PostgreSQL goes away", { skip: whyNoPrivatePostgres ?? false }, () => {
  let postgres: PrivatePostgres;
  let writer: Writer;
  before(async () => {
    postgres = await PrivatePostgres.start();
    writer = await Writer.start({ ...testEnvironment, DATABASE_URL: postgres.url });
  });
  after(async () => {
    await writer.close();
    await postgres[Symbol.asyncDispose]();
  });

  it("loses and doubles nothing when PostgreSQL crashes and comes back, and sends again within five seconds", async () => {
    const rooms = await Promise.all(Array.from({ length: 6 }, () => writer.newRoom()));
    const acknowledged: { readonly text: string; readonly at: number }[] = [];
    let sending = true;
    const write = async (roomId: string, name: string): Promise<void> => {
      for (let n = 0; sending; n++) {
        const text = `${name} ${n}`;
        await writer.person.call(sendMessage, { roomId, text });
        acknowledged.push({ text, at: performance.now() });
      }
    };
    const writing = rooms.flatMap((roomId, room) => [0, 1, 2].map((n) => write(roomId, `${room}-${n}`)));
    let up = 0;
    for (const mode of ["immediate", "fast"] as const) {
      await until(() => acknowledged.filter(({ at }) => at > up).length > 200);
      await postgres.restart(mode);
      up = performance.now();
    }
    await until(() => acknowledged.filter(({ at }) => at > up).length > 200);
    sending = false;
    await Promise.all(writing);
    const first = Math.min(...acknowledged.filter(({ at }) => at > up).map(({ at }) => at));
    assert.ok(first - up < 5000, `the first send was acknowledged ${first - up} ms after the server was up`);
    const stored = (await Promise.all(rooms.map((roomId) => writer.textsIn(roomId)))).flat();
    assert.deepEqual(stored.toSorted(), acknowledged.map(({ text }) => text).toSorted());
  });
});

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

/** A person at a server of their own. */
class Writer {
  readonly person: Person;
  readonly #server: RunningServer;

  private constructor(server: RunningServer, person: Person) {
    this.#server = server;
    this.person = person;
  }

  static async start(env: Environment, database?: Database): Promise<Writer> {
    const server = await startServer(loadConfig(env), database && { database });
    const [driver] = driversOf({ port: server.port, url: server.url });
    return new Writer(server, await (driver as Driver).signUp(newName()));
  }

  async newRoom(): Promise<string> {
    return (await this.person.call(RoomsService.method.createRoom, { name: "Storm" })).room?.id ?? "";
  }

  async textsIn(roomId: string): Promise<string[]> {
    const texts: string[] = [];
    for (let afterSeq = 0; ; ) {
      const { messages } = await this.person.call(listMessages, { roomId, afterSeq, pageSize: 200 });
      if (messages.length === 0) return texts;
      texts.push(...messages.map(({ text }) => text));
      afterSeq = messages.at(-1)?.seq ?? 0;
    }
  }

  async close(): Promise<void> {
    this.person.close();
    await this.#server.close();
  }
}
