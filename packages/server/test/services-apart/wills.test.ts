// The wills of MQTT clients at gateways, which know nothing of presence: the realtime service carries them out.
import assert from "node:assert/strict";
import { once } from "node:events";
import http2 from "node:http2";
import { test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { ParlorClient } from "@parlor/client";
import { ClientFrameSchema, Presence_Status, RealtimeService } from "@parlor/contract";
import { forwardedBytes, serviceMetadata } from "../../src/domain/forwarded-call.ts";
import { departureNote } from "../../src/domain/gateway-note.ts";
import { MemoryBusHub } from "../../src/engines/bus-memory.ts";
import { loadConfig, startServer } from "../../src/index.ts";
import { freePort } from "../support/child-server.ts";
import { Inbox } from "../support/inbox.ts";
import { connectDevice, type Device } from "../support/mqtt-device.ts";
import { faultLog, password } from "../support/running.ts";
import { environmentOf, servicesApart, serviceToken, whyNotApart } from "../support/services-apart.ts";

test("at a gateway, the will of a client that is lost counts, and of no other", {
  skip: whyNotApart ?? false,
  timeout: 60_000,
}, async () => {
  const hub = new MemoryBusHub();
  const faults: string[] = [];
  await using apart = await servicesApart({ joinBus: () => hub.join() });
  const env = { ...environmentOf(apart.layout, "gateway"), PORT: String(await freePort()) };
  const second = await startServer(loadConfig(env), { bus: hub.join(), log: faultLog(faults) });
  const people = new Map<string, ParlorClient>();
  const ids = new Map<string, string>();
  for (const username of ["ada", "left", "taken", "moved", "orphaned", "lost"]) {
    const client = new ParlorClient({ url: apart.url });
    ids.set((await client.signUp({ username, password })).id, username);
    people.set(username, client);
  }
  const connect = (username: string, port = apart.port): Promise<Device> =>
    connectDevice(`mqtt://127.0.0.1:${port}`, {
      protocolVersion: 5,
      clientId: username,
      username,
      password: people.get(username)?.tokens?.accessToken ?? "",
      will: { topic: "parlor/v1/me/presence", payload: Buffer.from("OFFLINE"), qos: 0, retain: false },
    });
  const ada = people.get("ada") as ParlorClient;
  await ada.rooms.createRoom({ name: "All", memberIds: [...ids.keys()] });
  const offline = new Inbox<string | undefined>();
  ada.on("event", ({ kind }) => {
    if (kind.case !== "presenceChanged" || kind.value.presence?.status !== Presence_Status.OFFLINE) return;
    offline.put(ids.get(kind.value.presence.userId));
  });
  await ada.connect();

  const left = await connect("left");
  await left.client.endAsync();
  const taken = await connect("taken");
  const ended = closeOf(taken);
  await using again = await connect("taken");
  await ended;
  const moved = await connect("moved", second.port);
  const closed = closeOf(moved);
  await second.close();
  await closed;
  await loseGatewayOf(people.get("orphaned")?.tokens?.accessToken ?? "", apart.parts.get("realtime")?.port ?? 0);
  const lost = await connect("lost");
  lost.client.stream.destroy();
  await offline.find((name) => name === "lost");

  assert.deepEqual(offline.items, ["lost"]);
  assert.equal(again.client.connected, true);
  assert.deepEqual([...apart.faults, ...faults], []);
  for (const client of people.values()) client.close();
});

/** Is a gateway that passes on a client with a will, and whose machine goes away. */
async function loseGatewayOf(token: string, port: number): Promise<void> {
  const session = http2.connect(`http://127.0.0.1:${port}`);
  const stream = session.request({
    ":method": "POST",
    ":path": `/${RealtimeService.typeName}/${RealtimeService.method.connect.name}`,
    "content-type": "application/grpc",
    te: "trailers",
    [serviceMetadata.token]: serviceToken,
    [serviceMetadata.call]: forwardedBytes({ protocol: "mqtt", address: "192.0.2.1" }).toString("base64"),
  });
  const hello = create(ClientFrameSchema, { kind: { case: "hello", value: { token } } });
  for (const message of [departureNote({ offlineAfterMs: 0 }), toBinary(ClientFrameSchema, hello)])
    stream.write(Buffer.concat([Buffer.of(0, 0, 0, message.length >> 8, message.length & 0xff), message]));
  await once(stream, "data");
  stream.on("error", () => undefined);
  session.socket.destroy();
  await once(session, "close");
}

function closeOf({ client }: Device): Promise<void> {
  return new Promise((resolve) => void client.once("close", () => resolve()));
}
