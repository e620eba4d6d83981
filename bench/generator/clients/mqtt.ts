import { Link } from "../link.ts";
import type { Door } from "../protocol.ts";
import { TEXT } from "../text.ts";
import { countingProtocol } from "./counting.ts";

const TOPIC = "room";
/** MQTT 3.1.1, a clean session, no keep-alive. */
const CONNECT_HEADER = Buffer.from([0, 4, ...Buffer.from("MQTT"), 4, 2, 0, 0]);
const MESSAGE = packet(0x30, Buffer.concat([string(TOPIC), Buffer.from(TEXT)]));
const SUBSCRIBE = packet(0x82, Buffer.concat([Buffer.from([0, 1]), string(TOPIC), Buffer.from([0])]));

/** MQTT 3.1.1 at QoS 0. A text is never split by headers, so the counter reads the stream as it is. */
export const mqtt = countingProtocol(join, MESSAGE);

async function join(door: Door, clientId: string): Promise<Link> {
  const link = await Link.open(door.port);
  link.write(packet(0x10, Buffer.concat([CONNECT_HEADER, string(clientId)])));
  expect(await link.find(shortPacket), [0x20, 2, 0, 0]);
  link.write(SUBSCRIBE);
  expect(await link.find(shortPacket), [0x90, 3, 0, 1, 0]);
  return link;
}

function string(text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 0xff]), bytes]);
}

/** The remaining length is below 128 or below 16,384 here. */
function packet(type: number, body: Buffer): Buffer {
  const length = body.length < 128 ? [body.length] : [0x80 | (body.length & 0x7f), body.length >> 7];
  return Buffer.concat([Buffer.from([type, ...length]), body]);
}

function shortPacket(held: Buffer): number | undefined {
  const length = 2 + (held[1] ?? Number.POSITIVE_INFINITY);
  return held.length >= length ? length : undefined;
}

function expect(answer: Buffer, wanted: readonly number[]): void {
  if (!answer.equals(Buffer.from(wanted))) throw new Error(`MQTT answered ${answer.toString("hex")}.`);
}
