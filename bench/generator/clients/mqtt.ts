import { Link } from "../link.ts";
import type { Door, Heard, Protocol, Publisher } from "../protocol.ts";
import { TEXT } from "../text.ts";
import { counting, repeated } from "./counting.ts";
import { MqttReader } from "./mqtt-reader.ts";
import type { ParlorDoor } from "./parlor.ts";

type Qos = 0 | 1;

/** Who a client is, and where it writes and reads. */
interface Place {
  readonly clientId: string;
  readonly password?: string;
  readonly subscribe: string;
  readonly publish: string;
}

type PlaceOf = (door: Door, member: number | undefined) => Place;

/** No two clients of a generator have the same id, or one would take the other's place. */
let clients = 0;

const plainPlace: PlaceOf = () => ({ clientId: `bench-${clients++}`, subscribe: "room", publish: "room" });

const parlorPlace: PlaceOf = (door, member) => {
  const { roomId, tokens } = door as ParlorDoor;
  const token = member === undefined ? tokens[0] : tokens[1 + (member % (tokens.length - 1))];
  if (token === undefined) throw new Error("The room has too few members.");
  const topic = `parlor/v1/rooms/${roomId}`;
  return { clientId: `bench-${clients++}`, password: token, subscribe: `${topic}/events`, publish: `${topic}/send` };
};

/** MQTT 3.1.1, by the level of service at which messages go in and come out. */
export const mqtt = mqttAt(0, plainPlace);
export const mqttQos1 = mqttAt(1, plainPlace);
export const parlorMqtt = mqttAt(0, parlorPlace);
export const parlorMqttQos1 = mqttAt(1, parlorPlace);

function mqttAt(qos: Qos, placeOf: PlaceOf): Protocol {
  return {
    async listen(door, member, heard) {
      const link = await join(door, placeOf(door, member), qos);
      listenTo(link, qos, heard);
      return link;
    },
    async publish(door) {
      const place = placeOf(door, undefined);
      return publisherOn(await join(door, place, qos), place.publish, qos);
    },
  };
}

/** At QoS 0 a text is never split by headers, so the counter reads the stream as it is; at QoS 1 packets are read to be acknowledged. */
function listenTo(link: Link, qos: Qos, heard: Heard, acknowledged: (count: number) => void = () => undefined): void {
  if (qos === 0) {
    link.read(counting(heard));
    return;
  }
  const reader = new MqttReader();
  link.read((bytes, start, end) => {
    const seen = reader.read(bytes, start, end);
    if (seen.acknowledgements.length > 0) link.answer(seen.acknowledgements);
    if (seen.messages > 0) heard(seen.messages);
    if (seen.acknowledged > 0) acknowledged(seen.acknowledged);
  });
}

/** Sends, and hears its own messages. At QoS 1 every message has a packet id of its own, and must be acknowledged. */
function publisherOn(link: Link, topic: string, qos: Qos): Publisher {
  let heard = 0;
  let acknowledged = 0;
  let packetId = 0;
  const onHeard = (messages: number): void => {
    heard += messages;
  };
  const onAcknowledged = (count: number): void => {
    acknowledged += count;
  };
  listenTo(link, qos, onHeard, onAcknowledged);
  const plain = packet(0x30, Buffer.concat([string(topic), Buffer.from(TEXT)]));
  const numbered = (): Buffer => {
    packetId = (packetId % 0xffff) + 1;
    return packet(0x32, Buffer.concat([string(topic), Buffer.from([packetId >> 8, packetId & 0xff]), Buffer.from(TEXT)]));
  };
  return {
    send: (messages) => link.write(qos === 0 ? repeated(plain, messages) : Buffer.concat(Array.from({ length: messages }, numbered))),
    get confirmed() {
      return qos === 0 ? heard : Math.min(heard, acknowledged);
    },
    close: () => link.close(),
  };
}

/** A clean session without keep-alive, subscribed. */
async function join(door: Door, place: Place, qos: Qos): Promise<Link> {
  const link = await Link.open(door.port);
  // A password needs a user name in MQTT 3.1.1, which may be empty.
  const credentials = place.password === undefined ? [] : [string(""), string(place.password)];
  const flags = place.password === undefined ? 0x02 : 0xc2;
  const header = Buffer.from([0, 4, ...Buffer.from("MQTT"), 4, flags, 0, 0]);
  link.write(packet(0x10, Buffer.concat([header, string(place.clientId), ...credentials])));
  expect(await link.find(shortPacket), [0x20, 2, 0, 0]);
  link.write(packet(0x82, Buffer.concat([Buffer.from([0, 1]), string(place.subscribe), Buffer.from([qos])])));
  expect(await link.find(shortPacket), [0x90, 3, 0, 1, qos]);
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
