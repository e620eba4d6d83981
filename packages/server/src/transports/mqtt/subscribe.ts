import type { ISubscribePacket, ISubscription, IUnsubscribePacket } from "mqtt-packet";
import type { StoredSubscription } from "../../realtime/durable-session.ts";
import { protocolError } from "./breach.ts";
import type { Client } from "./client.ts";
import { userProperty } from "./packets.ts";
import { ReasonCode } from "./reason-codes.ts";
import { maxSubscriptions, type Subscription } from "./subscriptions.ts";
import { type Interest, interestOf, isShared } from "./topics.ts";

/** Most topic filters of one SUBSCRIBE or UNSUBSCRIBE. */
const maxFilters = 100;

interface Granted {
  readonly subscription: Subscription;
  readonly interest: Interest;
}

/** Carries out a SUBSCRIBE (MQTT 5, section 3.8); it is acknowledged when the session has stored it. @throws Breach */
export async function handleSubscribe(client: Client, packet: ISubscribePacket): Promise<void> {
  // Section 3.2.2.3.12: as the CONNACK said.
  if (packet.properties?.subscriptionIdentifier !== undefined)
    throw protocolError("Subscription identifiers are not supported.", ReasonCode.SUBSCRIPTION_IDS_NOT_SUPPORTED);
  requireFew(packet.subscriptions.length);
  if (!(await client.mayAsk())) return;
  const encoding = client.version === 5 && userProperty(packet, "format") === "protobuf" ? "protobuf" : client.encoding;
  const results = packet.subscriptions.map((wanted) => grant(client, wanted, encoding));
  begin(
    client,
    results.filter((result) => typeof result === "object"),
  );
  drop(client);
  client.interestChanged();
  await client.session?.subscribed(stored(client));
  const codes = results.map((result) => (typeof result === "object" ? result.subscription.qos : client.version === 5 ? result : 0x80));
  client.send({ cmd: "suback", messageId: packet.messageId as number, granted: codes });
}

/** A subscription that was granted, or the reason code with which it is refused. */
function grant(client: Client, { topic: filter, qos, nl }: ISubscription, encoding: Subscription["encoding"]): Granted | ReasonCode {
  // Section 3.8.3.1.
  if (nl && isShared(filter)) throw protocolError("A shared subscription cannot ask for No Local.");
  const interest = interestOf(filter);
  if (!interest) return ReasonCode.TOPIC_FILTER_INVALID;
  // A room that one may not read answers as one that is not there.
  if ("roomId" in interest && interest.roomId !== undefined && client.position(interest.roomId) === undefined)
    return ReasonCode.NOT_AUTHORIZED;
  if (client.subscriptions.size >= maxSubscriptions && !client.subscriptions.has(filter)) return ReasonCode.QUOTA_EXCEEDED;
  const wantsOne = interest.kind === "events" && qos > 0 && !isShared(filter);
  const granted = { subscription: client.subscription(filter, wantsOne ? 1 : 0, encoding), interest };
  client.subscriptions.put(granted.subscription, interest);
  return granted;
}

/** Where rooms begin that come with QoS 1 from now on; those that came so before go on where they are. */
function begin(client: Client, granted: readonly Granted[]): void {
  for (const { subscription, interest } of granted) {
    if (subscription.qos === 0 || interest.kind !== "events") continue;
    for (const roomId of interest.roomId === undefined ? client.rooms() : [interest.roomId]) {
      const head = client.position(roomId);
      if (head !== undefined && client.inFlight.cursor(roomId) === undefined) client.inFlight.begin(roomId, head);
    }
  }
}

/** Forgets what need not be acknowledged any more; the rooms. */
function drop(client: Client): string[] {
  const { inFlight, subscriptions } = client;
  const left = [...inFlight.cursors()].map(([roomId]) => roomId).filter((roomId) => subscriptions.ofRoom(roomId)?.qos !== 1);
  for (const roomId of left) inFlight.forget(roomId);
  if (left.length > 0) client.windowMoved();
  return left;
}

function stored({ subscriptions }: Client): StoredSubscription[] {
  return [...subscriptions.all()].map(({ filter, qos, encoding }) => ({ filter, qos, encoding }));
}

/** Carries out an UNSUBSCRIBE (MQTT 5, section 3.10). @throws Breach */
export async function handleUnsubscribe(client: Client, packet: IUnsubscribePacket): Promise<void> {
  requireFew(packet.unsubscriptions.length);
  if (!(await client.mayAsk())) return;
  const codes = packet.unsubscriptions.map((filter) =>
    client.subscriptions.remove(filter) ? ReasonCode.SUCCESS : ReasonCode.NO_SUBSCRIPTION_EXISTED,
  );
  client.interestChanged();
  await client.session?.unsubscribed(stored(client), drop(client));
  client.send({ cmd: "unsuback", messageId: packet.messageId as number, granted: codes });
}

function requireFew(filters: number): void {
  if (filters > maxFilters) throw protocolError(`At most ${maxFilters} topic filters at a time.`, ReasonCode.QUOTA_EXCEEDED);
}
