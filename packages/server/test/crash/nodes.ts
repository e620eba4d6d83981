// Two nodes that are killed in turn, under devices that come back to either of them.
import assert from "node:assert/strict";
import { setTimeout as later } from "node:timers/promises";
import { EventSchema, Room_Visibility, RoomsService } from "@parlor/contract";
import { ChildNodes } from "../support/child-nodes.ts";
import type { Person } from "../support/drivers/driver.ts";
import { allEvents, allMessages, plain } from "../support/history.ts";
import type { Random } from "../support/random.ts";
import { type MqttWriter, writeByMqtt } from "./mqtt.ts";
import { checkSessions, openSessions, type SessionReader } from "./mqtt-session.ts";

/** Each writer's pause before the next message (milliseconds): so that the machine can start nodes meanwhile. */
const everyMs = 40;

export interface NodesPlan {
  /** Where database and bus are. */
  readonly env: Readonly<Record<string, string>>;
  readonly kills: number;
  readonly random: Random;
}

/** Runs the whole; answers how it went. @throws AssertionError when anything was lost, doubled, torn or out of order */
export async function crashesOfNodes({ env, kills, random }: NodesPlan): Promise<string> {
  await using nodes = await ChildNodes.start(2, { PARLOR_RING_EVENTS: "64", ...env });
  const [reader, writer] = [await nodes.driver(0, 1).signUp("reader"), await nodes.driver(1, 1).signUp("writer")];
  const roomId = await roomOf(reader, writer);
  const sessions = await openSessions(nodes.ports, reader, roomId, random);
  const devices = await writeByMqtt(nodes.ports, writer, roomId, everyMs);
  const writing = devices.run();
  const acknowledged = (more: number): Promise<unknown> => Promise.race([devices.acknowledges(more), writing]);
  try {
    for (let kill = 0; kill < kills; kill++) {
      await acknowledged(10 + random.below(60));
      // Nobody dies, and somebody comes to the other node while the first still has what it was told.
      random.pick([devices, ...sessions]).cutOff();
      await acknowledged(random.below(20));
      await later(random.next() * 15);
      await nodes.kill(kill % 2);
      // The other node goes on alone.
      await Promise.all([acknowledged(10 + random.below(40)), nodes.start(kill % 2)]);
    }
    await acknowledged(50);
    devices.stop();
    await writing;
    await check({ reader, roomId, sessions, devices });
    return `${devices.count} acknowledged, ${sessions.map(({ name, repeats }) => `${repeats} again to ${name}`).join(", ")}`;
  } finally {
    for (const one of [...sessions, devices, reader, writer]) one.close();
  }
}

async function roomOf(reader: Person, writer: Person): Promise<string> {
  const request = { name: "Lab", visibility: Room_Visibility.PRIVATE, memberIds: [writer.user.id] };
  return (await reader.call(RoomsService.method.createRoom, request)).room?.id ?? "";
}

interface Outcome {
  readonly reader: Person;
  readonly roomId: string;
  readonly sessions: readonly SessionReader[];
  readonly devices: MqttWriter;
}

async function check({ reader, roomId, sessions, devices }: Outcome): Promise<void> {
  const log = await allEvents(reader, roomId);
  assert.deepEqual(
    log.map(({ seq }) => seq),
    log.map((_, i) => i + 1),
    "seq has a hole",
  );
  devices.check(await allMessages(reader, roomId, 200));
  for (const { name, heard } of sessions) {
    await heard.until((events) => (events.at(-1)?.seq ?? 0) >= log.length);
    const first = heard.items[0]?.seq ?? 1;
    assert.deepEqual(plain(EventSchema, heard.items), plain(EventSchema, log.slice(first - 1)), `what ${name} heard is not history`);
  }
  checkSessions(sessions);
}
