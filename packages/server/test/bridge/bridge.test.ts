// The bridge between a server and Mosquitto, with clients of npm's mqtt as devices.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { ApiToken_Scope, AuthService, MessagesService, Room_Visibility, RoomsService } from "@parlor/contract";
import mqtt, { type IClientPublishOptions, type IPublishPacket, type MqttClient } from "mqtt";
import { freshPostgres, type TestPostgres } from "../support/databases.ts";
import type { Person } from "../support/drivers/driver.ts";
import { driversOf } from "../support/drivers/index.ts";
import { allMessages } from "../support/history.ts";
import { Inbox } from "../support/inbox.ts";
import { Mosquitto, whyNoMosquitto } from "../support/mosquitto.ts";
import { ScriptedBroker } from "../support/scripted-broker.ts";
import { type Bridged, bridgedServer } from "./bridged-server.ts";

interface Heard {
  readonly topic: string;
  readonly json: Record<string, never>;
  readonly packet: IPublishPacket;
}

/** A device of a user of the broker. */
class Device {
  readonly heard = new Inbox<Heard>();
  readonly client: MqttClient;
  readonly #name: string;

  constructor(broker: Mosquitto, name: string) {
    this.#name = name;
    this.client = mqtt.connect(broker.urlFor(name), {
      protocolVersion: 5,
      reconnectPeriod: 200,
      clientId: `device-${name}`,
      clean: false,
      properties: { sessionExpiryInterval: 600 },
    });
    this.client.on("error", () => undefined);
    this.client.on("message", (topic, payload, packet) => this.heard.put({ topic, json: JSON.parse(payload.toString()), packet }));
  }

  async subscribe(topic: string): Promise<this> {
    const [granted] = await this.client.subscribeAsync(topic, { qos: 1 });
    assert.equal(granted?.qos, 1, `the broker refuses ${topic}`);
    return this;
  }

  send(roomId: string, payload: string, properties: IClientPublishOptions["properties"] = {}): Promise<unknown> {
    return this.client.publishAsync(`parlor/v1/u/${this.#name}/rooms/${roomId}/send`, payload, { qos: 1, properties });
  }
}

describe("A bridge to Mosquitto", { skip: whyNoMosquitto() ?? false, timeout: 90_000 }, () => {
  let broker: Mosquitto;
  let database: TestPostgres;
  let node: Bridged;
  let owner: Person;
  let roomId: string;
  let token: string;
  let alice: Device;
  let watcher: Device;
  const name = (who: string): string => `${who}-${process.pid}`;

  before(async () => {
    [broker, database] = await Promise.all([Mosquitto.start(["max_packet_size 20000"]), freshPostgres()]);
    node = await bridgedServer(database, {});
    const [, json] = driversOf(node);
    assert.ok(json);
    const people = await Promise.all(["owner", "alice", "account"].map((who) => json.signUp(name(who))));
    const [first, member, account] = people as [Person, Person, Person];
    owner = first;
    const memberIds = [member.user.id, account.user.id];
    const { room } = await owner.call(RoomsService.method.createRoom, { name: "Yard", visibility: Room_Visibility.PRIVATE, memberIds });
    roomId = room?.id ?? "";
    const scopes = [ApiToken_Scope.READ, ApiToken_Scope.WRITE];
    token = (await account.call(AuthService.method.createApiToken, { name: "bridge", scopes })).token;
    for (const who of ["owner", "alice", "Alice", "watcher", "stranger"]) broker.addUser(name(who));
    broker.grant(name("watcher"), roomId);
    await broker.restart();
    await node.close();
    node = await bridgedServer(database, bridging("one"));
    watcher = await new Device(broker, name("watcher")).subscribe(`parlor/v1/rooms/${roomId}/events`);
    alice = new Device(broker, name("alice"));
    await node.publishing();
    owner = (await driversOf(node)[1]?.logIn(name("owner"))) as Person;
  });

  after(async () => {
    await Promise.all([alice, watcher].map((device) => device?.client.endAsync(true)));
    await node?.close();
    await database?.close();
    await broker?.[Symbol.asyncDispose]();
  });

  function bridging(bridgeName: string): Record<string, string> {
    return { PARLOR_BRIDGE_BROKER: broker.urlFor("parlor-bridge"), PARLOR_BRIDGE_NAME: bridgeName, PARLOR_BRIDGE_TOKEN: token };
  }

  /** Every message of the log came to the watcher, in order, and none twice. */
  async function assertPublished(from: number): Promise<void> {
    const messages = (await allMessages(owner, roomId)).filter(({ seq }) => seq > from);
    const last = messages.at(-1)?.seq ?? 0;
    await watcher.heard.find(({ json }) => Number(json["seq"]) >= last);
    const seqs = watcher.heard.items.map(({ json }) => Number(json["seq"])).filter((seq) => seq > from);
    assert.deepEqual(
      seqs,
      seqs.map((_, index) => from + 1 + index),
    );
  }

  /**
   * Waits until nothing up to a `seq` is under way: what is not acknowledged when the broker dies comes again, as QoS 1 has it. The bridge
   * has noted it, and the broker has stored that the watcher has it, which it does before it answers what comes after.
   */
  async function acknowledged(seq: number): Promise<void> {
    const account = (await driversOf(node)[1]?.logIn(name("account"))) as Person;
    const noted = async (): Promise<number> =>
      (await account.call(RoomsService.method.listMyRooms, {})).rooms.find(({ room }) => room?.id === roomId)?.readSeq ?? 0;
    while ((await noted()) < seq);
    account.close();
    for (let n = 0; n < 3; n++) await watcher.client.subscribeAsync(`parlor/v1/u/${name("watcher")}/${n}`, { qos: 1 });
  }

  const head = async (): Promise<number> => (await owner.call(RoomsService.method.getRoom, { roomId })).room?.lastSeq ?? 0;
  const textsOf = async (): Promise<string[]> => (await allMessages(owner, roomId)).map(({ text }) => text);

  it("stores what a device sends, as its user, and publishes the event", async () => {
    const before = await head();
    await alice.send(roomId, "the gate is open");
    const { json, packet } = await watcher.heard.find(({ json }) => Number(json["seq"]) > before);
    const { message } = json["messageSent"] as unknown as { readonly message: { readonly text: string; readonly authorId: string } };
    const [stored] = await allMessages(owner, roomId);
    assert.deepEqual([message.text, message.authorId], ["the gate is open", stored?.authorId]);
    assert.notEqual(message.authorId, owner.user.id);
    assert.equal(packet.retain, false);
  });

  it("answers on a topic of the sender's own, and on no other", async () => {
    await alice.subscribe(`parlor/v1/u/${name("alice")}/answers`);
    const properties = { responseTopic: `parlor/v1/u/${name("alice")}/answers`, correlationData: Buffer.from("7") };
    await alice.send(roomId, JSON.stringify({ text: "asked", clientMessageId: "once" }), properties);
    const first = await alice.heard.find(({ topic }) => topic.endsWith("/answers"));
    assert.equal(first.packet.properties?.correlationData?.toString(), "7");
    await alice.send(roomId, JSON.stringify({ text: "asked", clientMessageId: "once" }), {
      ...properties,
      correlationData: Buffer.from("8"),
    });
    const second = await alice.heard.find(({ packet }) => packet.properties?.correlationData?.toString() === "8");
    assert.deepEqual([first.json["duplicate"], second.json["duplicate"]], [false, true]);
    await alice.send(roomId, "elsewhere", { responseTopic: `parlor/v1/rooms/${roomId}/events` });
    await alice.send(roomId, "after it");
    await owner.call(MessagesService.method.sendMessage, { roomId, text: "the last" });
    await assertPublished((await head()) - 3);
  });

  it("refuses with a reason: a room that one is not in, a payload of another room, a stranger", async () => {
    await alice.subscribe(`parlor/v1/u/${name("alice")}/results`);
    const foreign = await owner.call(RoomsService.method.createRoom, { name: "Cellar", visibility: Room_Visibility.PRIVATE });
    const reasonOf = async (act: () => Promise<unknown>): Promise<unknown> => {
      const count = alice.heard.items.length;
      await act();
      await alice.heard.until((items) => items.length > count);
      return (alice.heard.items.at(-1) as Heard).json["error"]?.["reason"];
    };
    assert.equal(await reasonOf(() => alice.send(foreign.room?.id ?? "", "hello")), "NOT_EXISTING");
    assert.equal(await reasonOf(() => alice.send(roomId, JSON.stringify({ roomId: foreign.room?.id, text: "hello" }))), "INVALID_FIELDS");
    assert.equal(await reasonOf(() => alice.send(roomId, JSON.stringify({ text: "hello", authorId: owner.user.id }))), "INVALID_FIELDS");
    const stranger = await new Device(broker, name("stranger")).subscribe(`parlor/v1/u/${name("stranger")}/results`);
    await stranger.send(roomId, "hello");
    const { json } = await stranger.heard.find(() => true);
    assert.equal(json["error"]?.["reason"], "NOT_EXISTING");
    await stranger.client.endAsync();
  });

  it("sends nothing in anybody's name because somebody asks for an answer there", async () => {
    const own = `parlor/v1/u/${name("alice")}/rooms/${roomId}/send`;
    await alice.subscribe(own);
    await alice.send(roomId, JSON.stringify({ text: "answer me as a send" }), { responseTopic: own });
    const correlationData = Buffer.from("round");
    await alice.send(roomId, JSON.stringify({ text: "later" }), { responseTopic: `parlor/v1/u/${name("alice")}/answers`, correlationData });
    await alice.heard.find(({ packet }) => packet.properties?.correlationData?.toString() === "round");
    assert.equal(alice.heard.items.filter(({ topic }) => topic === own).length, 2);
    await alice.client.unsubscribeAsync(own);
  });

  it("takes a name as it is written: to a broker, capitals are another user", async () => {
    const other = await new Device(broker, name("Alice")).subscribe(`parlor/v1/u/${name("Alice")}/results`);
    await other.send(roomId, "as alice");
    const { json } = await other.heard.find(() => true);
    assert.equal(json["error"]?.["reason"], "NOT_EXISTING");
    await other.client.endAsync();
  });

  it("lets nobody write in another's name: the ACL that comes with it", async () => {
    const forged = alice.client.publishAsync(`parlor/v1/u/${name("owner")}/rooms/${roomId}/send`, "forged", { qos: 1 });
    await assert.rejects(forged, /Not authorized/);
    await alice.send(roomId, "my own");
    assert.ok(!(await textsOf()).includes("forged"));
  });

  it("stores equal texts as often as they were sent", async () => {
    for (let n = 0; n < 5; n++) await alice.send(roomId, "alive");
    await alice.send(roomId, "end of the row");
    await watcher.heard.find(({ json }) => JSON.stringify(json).includes("end of the row"));
    assert.equal((await textsOf()).filter((text) => text === "alive").length, 5);
  });

  it("stores each user's sends in their order while others send too", async () => {
    const other = new Device(broker, name("owner"));
    const sent = Array.from({ length: 30 }, (_, n) => `together ${n}`);
    await Promise.all([alice, other].flatMap((device) => sent.map((text) => device.send(roomId, text))));
    await other.client.endAsync();
    await watcher.heard.until((items) => items.filter(({ json }) => JSON.stringify(json).includes("together ")).length >= 2 * sent.length);
    const messages = (await allMessages(owner, roomId)).filter(({ text }) => text.startsWith("together"));
    const byAuthor = Object.groupBy(messages, ({ authorId }) => authorId);
    assert.deepEqual(
      Object.values(byAuthor).map((group) => group?.map(({ text }) => text)),
      [sent, sent],
    );
  });

  it("acknowledges in the order in which packets came, whichever is stored first", async () => {
    const sends = ["alice", "alice", "alice", "owner", "stranger", "alice", "owner"].map((who, n) => ({
      topic: `parlor/v1/u/${name(who)}/rooms/${roomId}/send`,
      payload: `in order ${n}`,
    }));
    await using scripted = await ScriptedBroker.start("parlor/v1/u/+/rooms/+/send", sends);
    const other = await bridgedServer(database, { PARLOR_BRIDGE_BROKER: scripted.url, PARLOR_BRIDGE_NAME: "other" }, node.network);
    await scripted.acknowledged.until((ids) => ids.length === sends.length);
    await other.close();
    assert.deepEqual(scripted.acknowledged.items, [1, 2, 3, 4, 5, 6, 7]);
    const stored = (await textsOf()).filter((text) => text.startsWith("in order"));
    assert.deepEqual(stored.toSorted(), ["in order 0", "in order 1", "in order 2", "in order 3", "in order 5", "in order 6"]);
  });

  it("leaves out what the broker would not take, and goes on", async () => {
    const { message } = await owner.call(MessagesService.method.sendMessage, { roomId, text: "€".repeat(7000) });
    await owner.call(MessagesService.method.sendMessage, { roomId, text: "after the large one" });
    await watcher.heard.find(({ json }) => JSON.stringify(json).includes("after the large one"));
    assert.ok(!watcher.heard.items.some(({ json }) => Number(json["seq"]) === message?.seq));
    const correlationData = Buffer.from("large");
    const properties = { responseTopic: `parlor/v1/u/${name("alice")}/answers`, correlationData };
    await alice.send(roomId, JSON.stringify({ text: "\u0001".repeat(3200) }), properties);
    await alice.send(roomId, JSON.stringify({ text: "small" }), properties);
    await alice.heard.until((items) => items.some(({ json }) => JSON.stringify(json).includes("small")));
  });

  it("goes on when the broker was killed and is back: nothing lost, nothing twice", async () => {
    const from = await head();
    await alice.send(roomId, "before the crash");
    await watcher.heard.find(({ json }) => JSON.stringify(json).includes("before the crash"));
    await acknowledged(from + 1);
    await broker.kill();
    for (let n = 0; n < 20; n++) await owner.call(MessagesService.method.sendMessage, { roomId, text: `while it is away ${n}` });
    const sending = alice.send(roomId, "sent into the dark");
    await broker.restart();
    await sending;
    await watcher.heard.find(({ json }) => JSON.stringify(json).includes("sent into the dark"));
    await assertPublished(from);
    assert.equal((await textsOf()).filter((text) => text === "sent into the dark").length, 1);
  });

  it("goes on where it was when the server was away", async () => {
    const from = await head();
    await node.close();
    const sent = Array.from({ length: 20 }, (_, n) => `without a server ${n}`);
    for (const text of sent) await alice.send(roomId, text);
    const plain = await bridgedServer(database, {});
    const other = (await driversOf(plain)[1]?.logIn(name("owner"))) as Person;
    await other.call(MessagesService.method.sendMessage, { roomId, text: "through a server without a bridge" });
    await plain.close();
    node = await bridgedServer(database, bridging("one"));
    owner = (await driversOf(node)[1]?.logIn(name("owner"))) as Person;
    await watcher.heard.find(({ json }) => JSON.stringify(json).includes("without a server 19"));
    await assertPublished(from);
    assert.deepEqual(
      (await textsOf()).filter((text) => text.startsWith("without a server")),
      sent,
    );
  });

  it("is taken over by another one, with what it has not acknowledged", async () => {
    const from = await head();
    const second = await bridgedServer(database, bridging("two"), node.network);
    for (let n = 0; n < 10; n++) await alice.send(roomId, `first ${n}`);
    const sending = Array.from({ length: 20 }, (_, n) => alice.send(roomId, `in between ${n}`));
    await node.close();
    await Promise.all(sending);
    node = second;
    owner = (await driversOf(node)[1]?.logIn(name("owner"))) as Person;
    await watcher.heard.find(({ json }) => JSON.stringify(json).includes("in between 19"));
    await assertPublished(from);
    const texts = (await textsOf()).filter((text) => text.startsWith("in between"));
    assert.deepEqual(
      texts,
      Array.from({ length: 20 }, (_, n) => `in between ${n}`),
    );
  });

  it("shares the work with another one, which takes over when it ends", async () => {
    const from = await head();
    await node.close();
    node = await bridgedServer(database, { ...bridging("one"), PARLOR_BRIDGE_SHARED: "on" });
    await node.publishing();
    owner = (await driversOf(node)[1]?.logIn(name("owner"))) as Person;
    const second = await bridgedServer(database, { ...bridging("two"), PARLOR_BRIDGE_SHARED: "on" }, node.network);
    try {
      for (let n = 0; n < 20; n++) await alice.send(roomId, `shared ${n}`);
      await watcher.heard.until((items) => items.filter(({ json }) => JSON.stringify(json).includes("shared ")).length >= 20);
      await assertPublished(from);
      assert.equal(new Set((await textsOf()).filter((text) => text.startsWith("shared "))).size, 20);
      await node.close();
      owner = (await driversOf(second)[1]?.logIn(name("owner"))) as Person;
      await owner.call(MessagesService.method.sendMessage, { roomId, text: "after the change" });
      await watcher.heard.find(({ json }) => JSON.stringify(json).includes("after the change"));
      await assertPublished(from);
    } finally {
      await node.close();
      node = second;
    }
  });
});
