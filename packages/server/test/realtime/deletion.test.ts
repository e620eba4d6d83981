// A room that is deleted in the midst of everything: its last event is the deletion, and nothing is acknowledged after it.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Event, MessagesService, type ParlorError, Reason, RoomsService, Welcome_Outcome } from "@parlor/contract";
import { type Party, party } from "../support/party.ts";
import { refused } from "../support/refused.ts";
import { onEveryEngine, type Running, running } from "../support/running.ts";

onEveryEngine("Deletion of a room", (engine) => {
  let server: Running;
  let guests: Party;
  before(async () => {
    server = await running(engine, { PARLOR_RING_EVENTS: "4", PARLOR_CATCH_UP_PAGE: "3" });
    guests = await party(server);
  });
  after(async () => {
    guests[Symbol.dispose]();
    await server[Symbol.asyncDispose]();
  });

  test("while people write and come back", { timeout: 60_000 }, async () => {
    const { host, guests: people } = guests;
    const memberIds = people.map(({ user }) => user.id);
    for (let round = 0; round < 10; round++) {
      const { room } = await host.call(RoomsService.method.createRoom, { name: "Doomed", memberIds });
      const roomId = room?.id ?? "";
      const exit = (event: Event): boolean => event.roomId === roomId && event.kind.case === "roomExited";
      const lives = await Promise.all(people.map((person) => person.connect()));
      const send = (n: number) =>
        people[n % 3]?.call(MessagesService.method.sendMessage, { roomId, text: `text ${n}` }).then(
          ({ message }) => message?.seq ?? 0,
          ({ reason }: ParlorError) => {
            assert.equal(reason, Reason.NOT_EXISTING);
            return 0;
          },
        );
      const before = Array.from({ length: 9 }, (_, n) => send(n));
      const deletion = host.call(RoomsService.method.deleteRoom, { roomId });
      const late = Array.from({ length: 9 }, (_, n) => send(n));
      const returning = people.map((person) => person.connect([{ roomId, seq: 1 }]));
      const seqs = await Promise.all([...before, ...late]);
      await deletion;
      for (const { inbox } of lives) {
        await inbox.find(exit);
        const log = inbox.items.filter((event) => event.roomId === roomId && event.seq > 0);
        assert.equal(log.at(-1)?.kind.case, "roomDeleted");
        for (const seq of seqs)
          if (seq !== undefined && seq > 0) assert.ok(seq < (log.at(-1)?.seq ?? 0), "it was acknowledged after the end");
      }
      await refused(host.call(MessagesService.method.listEvents, { roomId }), Reason.NOT_EXISTING);
      const returned = await Promise.all(returning);
      for (const { welcome, inbox } of returned) {
        if (welcome.rooms.some((state) => state.roomId === roomId && state.outcome === Welcome_Outcome.RECOVERED)) await inbox.find(exit);
      }
      for (const live of [...lives, ...returned]) live.close();
    }
    assert.deepEqual(server.faults, []);
  });

  test("while somebody catches up", { timeout: 60_000 }, async () => {
    const { host, guests: people } = guests;
    const { room } = await host.call(RoomsService.method.createRoom, { name: "Long", memberIds: people.map(({ user }) => user.id) });
    const roomId = room?.id ?? "";
    await Promise.all(Array.from({ length: 300 }, (_, n) => host.call(MessagesService.method.sendMessage, { roomId, text: `text ${n}` })));
    const lives = await Promise.all(people.map((person) => person.connect([{ roomId, seq: 1 }])));
    await host.call(RoomsService.method.deleteRoom, { roomId });
    for (const live of lives) {
      await live.inbox.find((event) => event.roomId === roomId && event.kind.case === "roomExited");
      live.close();
    }
    assert.deepEqual(server.faults, []);
  });
});
