// How people appear to those on other nodes, whatever node they come to and go from.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Event, PresenceService, Reason, RoomsService, Presence_Status as Status } from "@parlor/contract";
import { type Cluster, cluster, memoryBus, noCluster } from "../support/cluster.ts";
import type { Live, Person } from "../support/drivers/driver.ts";
import { refused } from "../support/refused.ts";
import { onEveryBus } from "./on-every-bus.ts";

const presence = PresenceService.method;

/** What a stream was told of a person, in order. */
function told({ inbox }: Live, userId: string): Status[] {
  return inbox.items.flatMap(({ kind }) =>
    kind.case === "presenceChanged" && kind.value.presence?.userId === userId ? [kind.value.presence.status] : [],
  );
}

function hears({ inbox }: Live, userId: string, status: Status): Promise<Event> {
  return inbox.find(
    ({ kind }) => kind.case === "presenceChanged" && kind.value.presence?.userId === userId && kind.value.presence.status === status,
  );
}

async function statusOf(reader: Person, userId: string): Promise<Status | undefined> {
  const { presences } = await reader.call(presence.getPresence, { userIds: [userId] });
  return presences[0]?.status;
}

/** Somebody on node 1, and readers on every node who share two rooms with them. */
async function audience(cluster: Cluster) {
  const person = await cluster.signUp(1);
  const readers = await Promise.all(cluster.nodes.map((_, node) => cluster.signUp(node, node)));
  const host = readers[0] as Person;
  const memberIds = [person, ...readers.slice(1)].map(({ user }) => user.id);
  for (const name of ["Tea", "Coffee"]) await host.call(RoomsService.method.createRoom, { name, memberIds });
  const lives = await Promise.all(readers.map((reader) => reader.connect()));
  return { person, readers, lives };
}

test("people of a node that falls silent go offline, and are back when it is heard again", {
  skip: noCluster ?? false,
  timeout: 60_000,
}, async () => {
  let ahead = 0;
  await using silent = await cluster(memoryBus(), { env: { PARLOR_OFFLINE_AFTER: "300ms" }, clock: { now: () => Date.now() + ahead } });
  const { person, readers, lives } = await audience(silent);
  const { id } = person.user;
  await person.connect();
  for (const live of lives) await hears(live, id, Status.ONLINE);
  const resume = await silent.interrupt();
  ahead = 16_000;
  for (const live of [lives[0], lives[2]]) await hears(live as Live, id, Status.OFFLINE);
  assert.equal(await statusOf(readers[1] as Person, id), Status.ONLINE);
  await resume();
  for (const live of [lives[0], lives[2]]) await (live as Live).inbox.until(() => told(live as Live, id).length === 3);
  assert.deepEqual(told(lives[0] as Live, id), [Status.ONLINE, Status.OFFLINE, Status.ONLINE]);
  assert.deepEqual(told(lives[1] as Live, id), [Status.ONLINE]);
  assert.deepEqual(silent.faults, []);
});

onEveryBus(
  "Presence across nodes",
  (current) => {
    test("coming, wishing and going are told once to each reader on every node", async () => {
      const nodes = current();
      const { person, readers, lives } = await audience(nodes);
      const { id } = person.user;
      const first = await person.connect();
      for (const live of lives) await hears(live, id, Status.ONLINE);
      const second = await nodes.at(person, 2).connect();
      // A call comes to a node where the person is not connected.
      const answer = await nodes.at(person, 0, 1).call(presence.setPresence, { status: Status.BUSY });
      assert.equal(answer.presence?.status, Status.BUSY);
      for (const live of lives) await hears(live, id, Status.BUSY);
      for (const reader of readers) assert.equal(await statusOf(reader, id), Status.BUSY);
      first.close();
      await first.ended;
      await second.setPresence(Status.OFFLINE);
      for (const live of lives) await hears(live, id, Status.OFFLINE);
      await second.setPresence(Status.ONLINE);
      for (const live of lives) await live.inbox.until(() => told(live, id).length === 4);
      second.close();
      for (const live of lives) await live.inbox.until(() => told(live, id).length === 5);
      const all = [Status.ONLINE, Status.BUSY, Status.OFFLINE, Status.ONLINE, Status.OFFLINE];
      for (const live of lives) assert.deepEqual(told(live, id), all);
      for (const reader of readers) {
        const { presences } = await reader.call(presence.getPresence, { userIds: [id] });
        assert.equal(presences[0]?.status, Status.OFFLINE);
        assert.ok(presences[0]?.lastSeenAt, "nobody wrote when they were last seen");
      }
    });

    test("a stranger sees and hears nothing of it", async () => {
      const nodes = current();
      const { person, lives } = await audience(nodes);
      const stranger = await nodes.signUp(2);
      const live = await stranger.connect();
      await person.connect();
      for (const reader of lives) await hears(reader, person.user.id, Status.ONLINE);
      assert.equal(await statusOf(stranger, person.user.id), Status.OFFLINE);
      assert.deepEqual(told(live, person.user.id), []);
    });

    test("a node that starts learns who is there, and one that stops takes its people with it", async () => {
      const nodes = current();
      const { person, lives } = await audience(nodes);
      const node = await nodes.add();
      const there = nodes.nodes.length - 1;
      const reader = nodes.at(lives[0] ? person : person, there);
      const other = await nodes.at(person, there).connect();
      for (const live of lives) await hears(live, person.user.id, Status.ONLINE);
      const late = await nodes.add();
      const observer = nodes.at(person, nodes.nodes.indexOf(late));
      while ((await statusOf(observer, person.user.id)) !== Status.ONLINE);
      await nodes.stop(late);
      await nodes.stop(node);
      await other.ended;
      for (const live of lives.slice(0, 2)) await hears(live, person.user.id, Status.OFFLINE);
      reader.close();
    });

    test("what happened while the bus was down is known once it is back", async () => {
      const nodes = current();
      const { person, readers, lives } = await audience(nodes);
      const resume = await nodes.interrupt();
      await person.connect();
      await hears(lives[1] as Live, person.user.id, Status.ONLINE);
      await resume();
      for (const live of lives) await hears(live, person.user.id, Status.ONLINE);
      for (const live of lives) assert.deepEqual(told(live, person.user.id), [Status.ONLINE]);
      assert.equal(await statusOf(readers[2] as Person, person.user.id), Status.ONLINE);
    });

    test("connections of one person are counted over all nodes", async () => {
      const nodes = current();
      const { person, lives } = await audience(nodes);
      const first = await Promise.all([0, 1].map((node) => nodes.at(person, node).connect()));
      for (const live of lives) await hears(live, person.user.id, Status.ONLINE);
      await nodes.at(person, 2).connect();
      // Word of the third is there when a wish that was told after it is.
      await (first[0] as Live).setPresence(Status.AWAY);
      for (const live of lives) await hears(live, person.user.id, Status.AWAY);
      const turnedAway = async (node: number): Promise<boolean> => {
        const attempt = await nodes
          .at(person, node)
          .connect()
          .then(
            (live) => live,
            () => undefined,
          );
        attempt?.close();
        return attempt === undefined;
      };
      for (const node of [0, 1, 2]) while (!(await turnedAway(node)));
      for (const node of [0, 1, 2]) await refused(nodes.at(person, node).connect(), Reason.TOO_MANY_CONNECTIONS);
      first[0]?.close();
      const again = async (): Promise<Live | undefined> =>
        nodes
          .at(person, 2)
          .connect()
          .catch(() => undefined);
      while (!(await again()));
    });

    test("no node reported a fault", () => assert.deepEqual(current().faults, []));
  },
  { PARLOR_OFFLINE_AFTER: "300ms", PARLOR_CONNECTIONS_PER_USER: "3" },
);
