// Services apart as processes of their own, with Redis between them, which are killed while clients go on. For `npm run test:faults`.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { MessagesService, RoomsService } from "@parlor/contract";
import { scenario } from "../scenario/scenario.ts";
import type { Person } from "../support/drivers/driver.ts";
import { driversOf, driversWithMqtt } from "../support/drivers/index.ts";
import { connectDevice, type Device, eventsOf, texts } from "../support/mqtt-device.ts";
import { newName } from "../support/party.ts";
import { redisMissing } from "../support/redis.ts";
import { password } from "../support/running.ts";
import { type PartName, type ProcessesApart, partNames, processesApart, whyNotApart } from "../support/services-apart.ts";
import { firstDifference } from "../support/transcript.ts";

describe("Services apart as processes", { skip: whyNotApart ?? redisMissing ?? false, timeout: 120_000 }, () => {
  let apart: ProcessesApart;
  before(async () => {
    apart = await processesApart();
  });
  after(() => apart[Symbol.asyncDispose]());

  test("one scenario gives equal results over every protocol", async () => {
    let expected: readonly string[] | undefined;
    for (const driver of driversWithMqtt(apart)) {
      const noted = await scenario(driver, `x${randomBytes(4).toString("hex")}`);
      expected ??= noted;
      assert.equal(firstDifference(noted, expected), undefined, driver.name);
    }
    assert.deepEqual(apart.faults, []);
  });

  test("the id of a request is the same where it came in and where it was carried out", async () => {
    const answer = await fetch(`${apart.url}/api/v1/auth/signup`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-request-id": "one-and-the-same" },
      body: JSON.stringify({ username: newName(), password }),
    });
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.get("x-request-id"), "one-and-the-same");
    assert.ok(apart.logOf("auth").some((line) => line.includes('"signed_up"') && line.includes('"requestId":"one-and-the-same"')));
  });

  for (const part of partNames) {
    test(`${part} is killed while people write, and every message that was acknowledged arrives`, async () => {
      const [, json, proto] = driversOf(apart);
      assert.ok(json && proto);
      const [writer, reader] = await Promise.all([json.signUp(newName()), proto.signUp(newName())]);
      const { room } = await writer.call(RoomsService.method.createRoom, { name: "Outage", memberIds: [reader.user.id] });
      const roomId = room?.id ?? "";
      const live = await reader.connect([{ roomId, seq: 0 }]);
      await write(writer, roomId, part, 0);
      const acknowledged = await writeDuring(restart(part), writer, roomId, part);
      await live.inbox.find(({ roomId: id, seq }) => id === roomId && seq === Math.max(...acknowledged));
      const seqs = live.inbox.items.filter((event) => event.roomId === roomId && event.seq > 0).map(({ seq }) => seq);
      assert.deepEqual(
        seqs,
        Array.from(seqs, (_, index) => index + 1),
      );
      for (const seq of acknowledged) assert.ok(seqs.includes(seq), `${seq} was acknowledged and did not come`);
      live.close();
      for (const person of [writer, reader]) person.close();
    });
  }

  for (const part of ["realtime", "gateway"] as const) {
    test(`a device's session outlives ${part}, and what it missed comes in order`, async () => {
      const person = (await driversOf(apart)[1]?.signUp(newName())) as Person;
      const { room } = await person.call(RoomsService.method.createRoom, { name: "Lab" });
      const roomId = room?.id ?? "";
      const say = (text: string) => person.call(MessagesService.method.sendMessage, { roomId, text });
      const connect = (): Promise<Device> =>
        connectDevice(apart.url.replace("http", "mqtt"), {
          protocolVersion: 5,
          clean: false,
          clientId: "sensor",
          username: person.user.username,
          password: person.token,
          properties: { sessionExpiryInterval: 3600 },
        });
      const first = await connect();
      await first.client.subscribeAsync(eventsOf(roomId), { qos: 1 });
      await say("one");
      await first.inbox.until(() => texts(first.inbox).length === 1);
      await restart(part);
      await say("two");
      await using second = await connect();
      assert.equal(second.connack.sessionPresent, true);
      await say("three");
      await second.inbox.until(() => texts(second.inbox).includes("three"));
      // What it acknowledged in the last second before may come again.
      assert.deepEqual(texts(second.inbox).slice(-2), ["two", "three"]);
      assert.deepEqual(apart.faults, []);
      person.close();
    });
  }

  async function restart(part: PartName): Promise<void> {
    await apart.kill(part);
    await apart.start(part);
  }
});

/** Sends with a key until it is acknowledged, as clients do. */
async function write(writer: Person, roomId: string, part: PartName, index: number): Promise<number> {
  for (;;) {
    try {
      const request = { roomId, text: `message ${index}`, clientMessageId: `${part} ${index}` };
      const { message } = await writer.call(MessagesService.method.sendMessage, request);
      return message?.seq ?? 0;
    } catch {
      // The next one is the same request: what was stored already comes back.
    }
  }
}

/** Writes until this is over, and a little longer. */
async function writeDuring(outage: Promise<void>, writer: Person, roomId: string, part: PartName): Promise<number[]> {
  const acknowledged: number[] = [];
  let left = 10;
  let over = false;
  const ended = outage.then(() => {
    over = true;
  });
  for (let index = 1; left > 0; index++) {
    acknowledged.push(await write(writer, roomId, part, index));
    if (over) left--;
  }
  await ended;
  return acknowledged;
}
