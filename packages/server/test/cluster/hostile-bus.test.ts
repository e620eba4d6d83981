// Somebody else publishes on the channels of the nodes: no node dies of it or believes nonsense, and people go on talking.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { MessagesService, Presence_Status, PresenceService, RoomsService, ServerFrameSchema } from "@parlor/contract";
import { newId } from "../../src/domain/ids.ts";
import { MemoryBusHub } from "../../src/engines/bus-memory.ts";
import { type Cluster, type ClusterBus, cluster, noCluster } from "../support/cluster.ts";
import type { Person } from "../support/drivers/driver.ts";
import { Random, seedOfRun } from "../support/random.ts";

const seed = seedOfRun();

function shared(hub: MemoryBusHub): ClusterBus {
  const none = async (): Promise<void> => undefined;
  return { name: "memory", join: () => ({ bus: hub.join() }), interrupt: async () => none, close: none };
}

interface Scene {
  readonly current: Cluster;
  readonly ada: Person;
  readonly bob: Person;
  readonly roomId: string;
  readonly topics: readonly string[];
  say(topic: string, payload: Uint8Array | object | string | number | null): void;
}

/** Two people on two nodes in one room; whoever says something on the bus then is no node. */
async function scene(work: (scene: Scene) => Promise<void>): Promise<void> {
  const hub = new MemoryBusHub();
  const stranger = hub.join();
  await using current = await cluster(shared(hub), { size: 2, env: { PARLOR_RATE_LIMITS: "on" } });
  const [ada, bob] = [await current.signUp(0), await current.signUp(1)];
  const { room } = await ada.call(RoomsService.method.createRoom, { name: "Noisy", memberIds: [bob.user.id] });
  const roomId = room?.id ?? "";
  const places = [ada, bob].flatMap((person) => [0, 1, 2].map((way) => current.at(person, way, way)));
  const lives = await Promise.all(places.map((person) => person.connect()));
  const say: Scene["say"] = (topic, payload) =>
    stranger.publish(topic, payload instanceof Uint8Array ? payload : Buffer.from(JSON.stringify(payload)));
  const topics = ["presence", "limits", "log-ins", "identities", "mqtt-sessions", "mqtt-groups", `room:${roomId}`, `user:${ada.user.id}`];
  await work({ current, ada, bob, roomId, topics, say });
  const { message } = await bob.call(MessagesService.method.sendMessage, { roomId, text: "still there" });
  for (const { inbox } of lives) await inbox.find((event) => event.roomId === roomId && event.seq === message?.seq);
  assert.deepEqual(
    current.faults.filter((fault) => !/hint from another node|was announced/.test(fault)),
    [],
  );
}

const words = [
  "from",
  "n",
  "word",
  "kind",
  "entries",
  "all",
  "changes",
  "userId",
  "reason",
  "key",
  "roomId",
  "seq",
  "entered",
  "succeeded",
];

/** Something that JSON can hold, often almost right. */
function value(random: Random, ids: readonly string[], depth = 0): unknown {
  const simple = [null, true, "", "x", -1, 0, 1, 1.5, 1e300, 99, random.pick(ids), random.pick(words), "__proto__"];
  if (depth > 3 || random.next() < 0.4) return random.pick(simple);
  const many = Array.from({ length: random.below(4) }, () => value(random, ids, depth + 1));
  return random.next() < 0.4 ? many : Object.fromEntries(many.map((one) => [random.pick(words), one]));
}

describe("A stranger on the bus", { skip: noCluster ?? false, timeout: 60_000 }, () => {
  test(`says random bytes and random JSON on every topic (seed ${seed})`, () =>
    scene(async ({ ada, bob, roomId, topics, say }) => {
      const random = new Random(seed);
      const ids = [ada.user.id, bob.user.id, roomId, newId()];
      for (let n = 0; n < 3000; n++) {
        const bytes = Uint8Array.from({ length: random.below(80) }, () => random.below(256));
        say(random.pick(topics), random.next() < 0.5 ? bytes : (value(random, ids) as object));
      }
    }));

  test("tells of people what cannot be", () =>
    scene(async ({ current, ada, bob, say }) => {
      const person = { userId: ada.user.id, connections: 1, active: true, wished: Presence_Status.ONLINE, wishedAt: 0 };
      const from = newId();
      for (const wrong of [
        { connections: "1" },
        { connections: -1e9 },
        { wished: 99 },
        { wished: "OFFLINE" },
        { wished: Presence_Status.BUSY, wishedAt: Number.MAX_SAFE_INTEGER },
        { userId: "nobody" },
        { rooms: "all" },
        { rooms: ["x"] },
      ])
        say("presence", { from, n: 0, word: { kind: "all", entries: [{ ...person, ...wrong }] } });
      for (let n = 0; n < 5000; n++) say("presence", { from: newId(), n, word: { kind: "beat" } });
      await current.at(ada, 1).call(PresenceService.method.setPresence, { status: Presence_Status.AWAY });
      const seen = async (): Promise<Presence_Status | undefined> =>
        (await bob.call(PresenceService.method.getPresence, { userIds: [ada.user.id] })).presences[0]?.status;
      while ((await seen()) !== Presence_Status.AWAY);
    }));

  test("takes or gives allowances that cannot be", () =>
    scene(async ({ current, ada, roomId, say }) => {
      const key = `sends ${ada.user.id}`;
      for (const allowance of [{ perSecond: 0, burst: 20 }, { perSecond: -5, burst: 20 }, { perSecond: "5", burst: 20 }, null])
        say("limits", [[allowance, [[key, 1]]]]);
      for (const count of [Number.NaN, -1e6, "1", null, 1e300]) say("limits", [[{ perSecond: 5, burst: 20 }, [[key, count]]]]);
      const sends = Array.from({ length: 40 }, (_, n) => ada.call(MessagesService.method.sendMessage, { roomId, text: `${n}` }));
      const outcomes = await Promise.allSettled(sends);
      const stored = outcomes.filter(({ status }) => status === "fulfilled").length;
      assert.ok(stored >= 20 && stored < 40, `${stored} of 40 sends were allowed`);
      assert.equal(current.nodes.length, 2);
    }));

  test("tells of events that cannot be, or that never were", () =>
    scene(async ({ ada, roomId, say }) => {
      const { message } = await ada.call(MessagesService.method.sendMessage, { roomId, text: "the last" });
      const seq = (message?.seq ?? 0) + 1;
      const at = { seconds: 10n ** 15n, nanos: 0 };
      const kinds = [
        { case: "typing", value: { userId: ada.user.id } },
        { case: "messageSent", value: { message: { id: newId(), roomId, seq, authorId: ada.user.id, text: "x", createdAt: at } } },
      ] as const;
      for (const kind of kinds) {
        for (const event of [
          { roomId, seq: 0, at, kind },
          { roomId, seq, at, kind },
          { roomId, seq: 0xffff_fff0, kind },
        ])
          say(`room:${roomId}`, toBinary(ServerFrameSchema, create(ServerFrameSchema, { events: [event] })));
      }
      say(`user:${ada.user.id}`, { kind: "entered", roomId: newId(), seq: 5 });
      say(`user:${ada.user.id}`, { kind: "entered", roomId: "x", seq: 5 });
      say(`user:${ada.user.id}`, { kind: "read", roomId, seq: 1e12 });
    }));
});
