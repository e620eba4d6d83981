// Who comes into a room and who goes out of it, with everybody on another node than whoever did it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Event, MessagesService, Room_Visibility, RoomExited_Cause, RoomsService } from "@parlor/contract";
import type { Cluster } from "../support/cluster.ts";
import type { Live, Person } from "../support/drivers/driver.ts";
import { onEveryBus } from "./on-every-bus.ts";

const rooms = RoomsService.method;
const messages = MessagesService.method;

/** Durable events of a room that came, as their seqs. */
function seqsOf({ inbox }: Live, roomId: string): number[] {
  return inbox.items.filter((event) => event.roomId === roomId && event.seq > 0).map(({ seq }) => seq);
}

/** From `first` to `last`, without hole or repeat. */
function run(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

function in_(roomId: string, kind: Event["kind"]["case"]): (event: Event) => boolean {
  return (event) => event.roomId === roomId && event.kind.case === kind;
}

async function say(who: Person, roomId: string, text: string): Promise<number> {
  const { message } = await who.call(messages.sendMessage, { roomId, text });
  return message?.seq ?? 0;
}

/** How long something takes (milliseconds). */
async function time(work: Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work;
  return performance.now() - start;
}

/** A room of a host on node 0, with a guest whose streams are on nodes 1 and 2. */
async function roomOf(cluster: Cluster) {
  const [host, guest] = [await cluster.signUp(0), await cluster.signUp(1)];
  const lives = await Promise.all([1, 2].map((node) => cluster.at(guest, node, node).connect()));
  const create = async (memberIds: string[]): Promise<string> =>
    (await host.call(rooms.createRoom, { name: "Tea", memberIds })).room?.id ?? "";
  return { host, guest, lives, create };
}

/** A room that the guest is not in, and another one where they are. */
async function openDoor(cluster: Cluster) {
  const { host, guest, lives, create } = await roomOf(cluster);
  const [roomId, other] = [await create([]), await create([guest.user.id])];
  for (const { inbox } of lives) await inbox.find(in_(other, "roomEntered"));
  return { host, guest, lives, roomId, other };
}

type Door = Awaited<ReturnType<typeof openDoor>>;

async function comesAndGoes(
  { host, guest, lives, roomId, other }: Door,
  cause: RoomExited_Cause,
  end: typeof rooms.removeMember | typeof rooms.banUser,
  within: number,
): Promise<void> {
  const target = { roomId, userId: guest.user.id };
  await say(host, roomId, "before");
  await host.call(rooms.setMember, target);
  const inside = await say(host, roomId, "inside");
  const heard = lives.map(({ inbox }) => inbox.find((event) => event.roomId === roomId && event.seq === inside));
  assert.ok((await time(Promise.all(heard))) < within, "came late");
  await host.call(end, target);
  await say(host, roomId, "secret");
  const gone = lives.map(({ inbox }) => inbox.find(in_(roomId, "roomExited")));
  assert.ok((await time(Promise.all(gone))) < within, "left late");
  const marker = await say(host, other, "marker");
  for (const live of lives) {
    await live.inbox.find((event) => event.roomId === other && event.seq === marker);
    assert.deepEqual(seqsOf(live, roomId), [inside - 1, inside]);
    const exit = live.inbox.items.find(in_(roomId, "roomExited"));
    assert.equal(exit?.kind.case === "roomExited" && exit.kind.value.cause, cause);
  }
}

onEveryBus("Memberships across nodes", (current) => {
  for (const bus of ["up", "down"] as const) {
    // The log is told at once, or at the next look into the Store.
    const within = bus === "up" ? 1000 : 5000;

    test(`with the bus ${bus}, a new room comes to its members`, async () => {
      const cluster = current();
      const { host, guest, lives, create } = await roomOf(cluster);
      const resume = bus === "down" ? await cluster.interrupt() : async () => undefined;
      const roomId = await create([guest.user.id]);
      const last = await say(host, roomId, "hello");
      const arrived = lives.map(({ inbox }) => inbox.find((event) => event.roomId === roomId && event.seq === last));
      assert.ok((await time(Promise.all(arrived))) < within);
      for (const live of lives) {
        assert.equal(live.inbox.items.filter(in_(roomId, "roomEntered")).length, 1);
        const seqs = seqsOf(live, roomId);
        assert.deepEqual(seqs, run(seqs[0] ?? 0, last));
        assert.ok((seqs[0] ?? 9) <= 3, "from its own coming on");
      }
      await resume();
    });

    test(`with the bus ${bus}, who is added, removed or banned hears what is theirs`, async () => {
      const cluster = current();
      const doors = await Promise.all([openDoor(cluster), openDoor(cluster)]);
      const resume = bus === "down" ? await cluster.interrupt() : async () => undefined;
      await Promise.all([
        comesAndGoes(doors[0], RoomExited_Cause.REMOVED, rooms.removeMember, within),
        comesAndGoes(doors[1], RoomExited_Cause.BANNED, rooms.banUser, within),
      ]);
      await resume();
    });

    test(`with the bus ${bus}, a room that is deleted ends for its members, and may be read nowhere`, async () => {
      const cluster = current();
      const { host, guest, lives, create } = await roomOf(cluster);
      const roomId = await create([guest.user.id]);
      for (const { inbox } of lives) await inbox.find(in_(roomId, "roomEntered"));
      const resume = bus === "down" ? await cluster.interrupt() : async () => undefined;
      await host.call(rooms.deleteRoom, { roomId });
      assert.ok((await time(Promise.all(lives.map(({ inbox }) => inbox.find(in_(roomId, "roomExited")))))) < within);
      await resume();
    });

    test(`with the bus ${bus}, history of a room that nobody follows is refused to who was removed`, async () => {
      const cluster = current();
      const [host, guest] = [await cluster.signUp(0), await cluster.signUp(1)];
      const { room } = await host.call(rooms.createRoom, { name: "Quiet", memberIds: [guest.user.id] });
      const roomId = room?.id ?? "";
      await guest.call(messages.listMessages, { roomId });
      const resume = bus === "down" ? await cluster.interrupt() : async () => undefined;
      await host.call(rooms.removeMember, { roomId, userId: guest.user.id });
      const start = performance.now();
      while (
        await guest.call(messages.listMessages, { roomId }).then(
          () => true,
          () => false,
        )
      );
      assert.ok(performance.now() - start < within);
      await resume();
    });
  }

  test("once the bus is back, rooms that were missed come at once", async () => {
    const cluster = current();
    const { guest, lives, create } = await roomOf(cluster);
    const resume = await cluster.interrupt();
    const roomId = await create([guest.user.id]);
    await resume();
    assert.ok((await time(Promise.all(lives.map(({ inbox }) => inbox.find(in_(roomId, "roomEntered")))))) < 1000);
  });

  test("a direct conversation and a room that one joins reach one's other devices", async () => {
    const cluster = current();
    const { host, guest, lives } = await roomOf(cluster);
    const { room: direct } = await host.call(rooms.openDirect, { userIds: [guest.user.id] });
    const { room: plaza } = await host.call(rooms.createRoom, { name: "Plaza", visibility: Room_Visibility.PUBLIC });
    await cluster.at(guest, 0).call(rooms.joinRoom, { roomId: plaza?.id ?? "" });
    for (const roomId of [direct?.id ?? "", plaza?.id ?? ""]) {
      const seq = await say(host, roomId, "hello");
      for (const live of lives) await live.inbox.find((event) => event.roomId === roomId && event.seq === seq);
    }
  });

  test("people who come and go while their streams open miss nothing and hear nothing that is not theirs", async () => {
    const cluster = current();
    const [host, guest] = [await cluster.signUp(0), await cluster.signUp(1)];
    const { room } = await host.call(rooms.createRoom, { name: "Door" });
    const target = { roomId: room?.id ?? "", userId: guest.user.id };
    for (let round = 0; round < 12; round++) {
      const opening = [1, 2, 1, 2].map((node, way) => cluster.at(guest, node, way).connect());
      await host.call(round % 2 === 0 ? rooms.setMember : rooms.removeMember, target);
      const last = await say(host, target.roomId, `round ${round}`);
      for (const live of await Promise.all(opening)) {
        const known = live.welcome.rooms.find(({ roomId }) => roomId === target.roomId);
        if (round % 2 === 0) {
          if ((known?.lastSeq ?? 0) < last) await live.inbox.find((event) => event.roomId === target.roomId && event.seq === last);
          const seqs = seqsOf(live, target.roomId);
          assert.deepEqual(seqs, seqs.length === 0 ? [] : run(seqs[0] ?? 0, last));
        } else {
          if (known) await live.inbox.find(in_(target.roomId, "roomExited"));
          assert.ok(!seqsOf(live, target.roomId).includes(last), "it heard what came after");
        }
        live.close();
      }
    }
  });

  test("typing and read markers reach other nodes", async () => {
    const cluster = current();
    const { host, guest, lives, create } = await roomOf(cluster);
    const roomId = await create([guest.user.id]);
    for (const { inbox } of lives) await inbox.find(in_(roomId, "roomEntered"));
    const seq = await say(host, roomId, "read me");
    for (const { inbox } of lives) await inbox.find((event) => event.roomId === roomId && event.seq === seq);
    const live = await host.connect();
    live.typing(roomId);
    for (const { inbox } of lives) await inbox.find(in_(roomId, "typing"));
    await cluster.at(guest, 0).call(messages.markRead, { roomId, seq });
    for (const { inbox } of lives) await inbox.find(in_(roomId, "readMarked"));
    for (const { inbox } of lives) assert.equal(inbox.items.filter(in_(roomId, "readMarked")).length, 1);
  });

  test("no node reported a fault", () => assert.deepEqual(current().faults, []));
});
