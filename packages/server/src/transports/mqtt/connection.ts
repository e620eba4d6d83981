import type { Duplex } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { create, type DescMethod, type Message, type MessageInitShape } from "@bufbuild/protobuf";
import { ClientFrameSchema, type Goodbye, Goodbye_Reason, type ParlorError, Reason, type ServerFrame } from "@parlor/contract";
import type { IDisconnectPacket, Packet } from "mqtt-packet";
import type { Caller } from "../../domain/call.ts";
import { newId } from "../../domain/ids.ts";
import { type Allowance, RateLimiter } from "../../domain/rate-limits.ts";
import type { Log } from "../../ports/log.ts";
import type { Connection, Origin, Realtime } from "../../realtime/connection.ts";
import type { DurableSessions, SessionCursor, SessionHold, SessionOwner } from "../../realtime/durable-session.ts";
import type { Api } from "../../services/api.ts";
import { refusalOf } from "../errors.ts";
import { endings } from "../goodbyes.ts";
import { type Audience, answersTo, encodePacket, outcomeOf } from "./answers.ts";
import { Breach, protocolError } from "./breach.ts";
import type { Client } from "./client.ts";
import { connackOf, refusalOf as refusalPacket } from "./connack.ts";
import { type ConnectRequest, connectRequestOf, secondsOf } from "./connect.ts";
import { formatOf } from "./formats.ts";
import { InFlight } from "./in-flight.ts";
import { callerOf, restore, resumedFlight, sentBefore } from "./opening.ts";
import { Pace } from "./pace.ts";
import { PacketCutter } from "./packet-cutter.ts";
import { decodeConnect, decodePacket, plainPuback, type Version, versionOf } from "./packets.ts";
import { PublicationKeys } from "./publication-keys.ts";
import { handlePublish } from "./publish.ts";
import { connackCodeOf, pubackCodeOf, ReasonCode } from "./reason-codes.ts";
import { Settlement } from "./settlement.ts";
import type { SharedGroups } from "./shared-groups.ts";
import { MqttSink } from "./sink.ts";
import { handleSubscribe, handleUnsubscribe } from "./subscribe.ts";
import { type Encoding, type Subscription, Subscriptions } from "./subscriptions.ts";
import { TopicAliases } from "./topic-aliases.ts";
import { isShared } from "./topics.ts";
import { type Outcome, Unanswered } from "./unanswered.ts";

export interface ConnectionContext {
  readonly api: Api;
  readonly realtime: Realtime;
  readonly sessions: DurableSessions;
  readonly groups: SharedGroups;
  /** Largest packet that is read once the client is known. */
  readonly maxBytes: number;
  readonly log: Log;
}

/** Largest CONNECT. */
const connectBytes = 16 * 1024;
/** Publications under way before the next packet is read. */
const maxUnanswered = 512;
/** Bytes kept for them, and for answers that wait for earlier ones, before the next packet is read. */
const maxUnansweredBytes = 512 * 1024;
/** Subscriptions, and look-ups of what was published before, that a connection may ask of the Store. */
const storeAllowance: Allowance = { perSecond: 50, burst: 100 };
/** Bytes waiting for the client before its next packet is read. */
const maxQueuedBytes = 64 * 1024;
/** Before its session began, a client may have published what it sends again (milliseconds). */
const forgottenMs = 300_000;
/** How long a client has to take the last bytes and close (milliseconds). */
const closeMs = 3000;

/** `new` until a CONNECT has come, `opening` until the CONNACK, `open`, `ended`. */
type State = "new" | "opening" | "open" | "ended";

/** One MQTT connection: takes its packets one after the other, and is a live connection of the hub. */
export class MqttConnection implements Client, SessionOwner {
  readonly id = newId();
  readonly sink: MqttSink;
  readonly subscriptions = new Subscriptions();
  readonly unanswered = new Unanswered();
  readonly aliases = new TopicAliases();
  inFlight = new InFlight(0);
  keys: PublicationKeys;
  session: SessionHold | undefined;
  readonly #stream: Duplex;
  readonly #context: ConnectionContext;
  readonly #origin: Origin;
  readonly #hub: Connection;
  #settlement = new Settlement(Date.now() - forgottenMs, Date.now());
  readonly #pace = new Pace();
  readonly #cutter = new PacketCutter(connectBytes);
  #state: State = "new";
  #version: Version = 5;
  #request: ConnectRequest | undefined;
  #caller: Caller | undefined;
  /** The reason code of the last packet, where the goodbye's reason does not tell it. */
  #reasonCode: number | undefined;
  #reading = false;
  #expirySeconds = 0;
  readonly #asks = new RateLimiter({ now: () => performance.now() }, 1);

  constructor(stream: Duplex, origin: Origin, context: ConnectionContext) {
    this.#stream = stream;
    this.#context = context;
    this.#origin = origin;
    this.keys = new PublicationKeys(context.sessions, { userId: "", clientId: "" });
    this.sink = new MqttSink(stream, this);
    this.#hub = context.realtime.open(this.sink, origin);
    stream.on("data", (bytes: Buffer) => this.#arrived(bytes)).once("close", () => this.#closed());
    stream.resume();
  }

  get version(): Version {
    return this.#version;
  }

  get settledAt(): number {
    return this.#settlement.settledAt;
  }

  get encoding(): Encoding {
    return this.#request?.encoding ?? "json";
  }

  // What the handlers of packets do.

  subscription(filter: string, qos: 0 | 1, encoding: Encoding): Subscription {
    const formats = { format: formatOf(this.#version, qos, encoding), ephemeralFormat: formatOf(this.#version, 0, encoding) };
    const share = isShared(filter) && { share: this.#context.groups.join(this.#caller?.userId ?? "", filter, this) };
    return { filter, qos, encoding, ...formats, ...share };
  }

  send(packet: Packet): void {
    this.sink.write(encodePacket(packet, this.#audience()));
  }

  frame(id: number, kind: NonNullable<MessageInitShape<typeof ClientFrameSchema>["kind"]>): void {
    this.#hub.receive(create(ClientFrameSchema, { id, kind }));
  }

  async call(method: DescMethod, request: Message): Promise<never> {
    const { requestId, protocol, address } = this.#origin;
    const call = { requestId, protocol, address, ...(this.#caller && { caller: this.#caller }) };
    return (await this.#context.api.call(method, request, call)) as never;
  }

  settle(id: number, outcome: Outcome): void {
    this.sink.write(this.#settled(id, outcome));
  }

  position(roomId: string): number | undefined {
    return this.#hub.position(roomId);
  }

  rooms(): Iterable<string> {
    return this.#hub.rooms();
  }

  windowMoved(): void {
    this.sink.windowMoved();
  }

  async mayAsk(): Promise<boolean> {
    for (let ms = this.#asks.take("", storeAllowance); ms > 0 && !this.#isOver(); ms = this.#asks.take("", storeAllowance)) await delay(ms);
    return !this.#isOver();
  }

  // What the hub does, by way of the sink.

  encode({ welcome, replies }: ServerFrame): Uint8Array {
    if (welcome) return this.#opened();
    return Buffer.concat(replies.map(({ id, result }) => this.#settled(id, outcomeOf(result))));
  }

  end({ reason, error }: Goodbye): void {
    const last = this.#lastPacket(reason, error?.message);
    this.#finish(last && encodePacket(last, this.#audience()));
  }

  #finish(last?: Uint8Array): void {
    this.#state = "ended";
    if (last) this.#stream.end(last);
    else this.#stream.end();
    const timer = setTimeout(() => this.#stream.destroy(), closeMs);
    this.#stream.once("close", () => clearTimeout(timer));
    // What it still sends is not read; without reading, its end would not be seen.
    this.#stream.resume();
  }

  // What its session asks and tells.

  cursors(): Iterable<readonly [string, SessionCursor]> {
    return this.inFlight.cursors();
  }

  /** MQTT 5, section 3.1.4. */
  takenOver(): void {
    this.#fail(protocolError("Another connection of this client id has taken the session over.", ReasonCode.SESSION_TAKEN_OVER));
  }

  // What arrives.

  #arrived(bytes: Buffer): void {
    if (this.#state === "ended") return;
    this.#cutter.push(bytes);
    if (this.#reading) this.#stream.pause();
    else void this.#read();
  }

  /** Takes packets one after the other, as fast as they are carried out and their answers are taken. */
  async #read(): Promise<void> {
    if (this.#reading) return;
    this.#reading = true;
    this.#pace.begin();
    try {
      while (this.#mayRead()) {
        const bytes = this.#cutter.next();
        if (!bytes) break;
        const under = this.#take(bytes);
        if (under) await under;
        const turn = this.#pace.step();
        if (turn) await turn;
        if (this.sink.queuedBytes > maxQueuedBytes) await this.sink.drained();
      }
    } catch (thrown) {
      this.#fail(thrown);
    }
    this.#reading = false;
    if (this.#state === "ended" || this.#mayRead()) this.#stream.resume();
    else this.#stream.pause();
  }

  #mayRead(): boolean {
    return (this.#state === "new" || this.#state === "open") && !this.#isFull();
  }

  #isFull(): boolean {
    return this.unanswered.size >= maxUnanswered || this.unanswered.bytes >= maxUnansweredBytes;
  }

  /** @throws Breach */
  #take(bytes: Buffer): Promise<void> | undefined {
    if (this.#state === "new") return this.#connect(bytes);
    const now = Date.now();
    this.#hub.alive();
    if (this.#settlement.heard(now, this.unanswered.oldestSince)) this.session?.moved();
    const acknowledged = plainPuback(bytes);
    if (acknowledged) return void this.#acknowledged(acknowledged);
    const packet = decodePacket(bytes, this.#version);
    if (packet.cmd !== "publish" && packet.cmd !== "puback") this.#pace.control(now);
    return this.#handle(packet);
  }

  #handle(packet: Packet): Promise<void> | undefined {
    switch (packet.cmd) {
      case "publish":
        return handlePublish(this, packet);
      case "puback":
        return void this.#acknowledged(packet.messageId as number);
      case "subscribe":
        return handleSubscribe(this, packet);
      case "unsubscribe":
        return handleUnsubscribe(this, packet);
      case "pingreq":
        return void this.send({ cmd: "pingresp" });
      case "disconnect":
        return void this.#disconnected(packet);
      default:
        // Sections 3.1.0 and 2.1.2: a second CONNECT, packets of QoS 2, and those that only a server sends.
        throw protocolError(`A ${packet.cmd.toUpperCase()} may not come here.`);
    }
  }

  #acknowledged(packetId: number): void {
    const roomId = this.inFlight.acknowledge(packetId);
    if (roomId === undefined) return;
    this.session?.moved(roomId);
    this.windowMoved();
  }

  /** Section 3.14: the client says goodbye, and may change how long its session is kept. */
  #disconnected({ properties }: IDisconnectPacket): void {
    const interval = properties?.sessionExpiryInterval;
    if (interval !== undefined) {
      if (interval > 0 && this.#expirySeconds === 0) throw protocolError("A session that was not to be kept cannot be kept now.");
      this.#expirySeconds = Math.min(secondsOf(interval), this.#expirySeconds);
    }
    this.#finish();
    this.#hub.closed();
  }

  async #connect(bytes: Buffer): Promise<void> {
    this.#version = versionOf(bytes);
    this.#state = "opening";
    const request = connectRequestOf(decodeConnect(bytes));
    const caller = await callerOf(this.#context.api, request, this.#origin);
    this.#caller = caller;
    if (this.#isOver()) return;
    // Nobody can come back with a client id that was made here.
    const mayReturn = !request.assigned || request.expirySeconds > 0;
    if (mayReturn) this.session = await this.#context.sessions.claim({ userId: caller.userId, connectionId: this.id, ...request }, this);
    this.#expirySeconds = this.session?.expirySeconds ?? 0;
    if (this.#isOver()) return void this.session?.leave(this.#expirySeconds);
    this.#begin(request, caller);
    const resume = [...this.inFlight.cursors()].map(([roomId, { acked }]) => ({ roomId, seq: acked }));
    this.#hub.receive(create(ClientFrameSchema, { kind: { case: "hello", value: { token: request.token, resume } } }));
  }

  #begin(request: ConnectRequest, { userId }: Caller): void {
    this.#request = request;
    this.#cutter.maxBytes = this.#context.maxBytes;
    this.keys = new PublicationKeys(this.#context.sessions, { userId, clientId: request.clientId });
    if (this.session?.stored) this.#settlement = new Settlement(this.session.stored.settledAt, Date.now());
    this.inFlight = resumedFlight(request, this.session);
    restore(this, this.session);
    const { subscriptions, inFlight } = this;
    const { maxPacketBytes, silenceMs } = request;
    this.sink.begin({ subscriptions, inFlight, maxPacketBytes, silenceMs, sentBefore: sentBefore(this.session) });
  }

  /** The hub has let it in: the CONNACK goes first, then what came meanwhile is read. */
  #opened(): Uint8Array {
    this.#state = "open";
    queueMicrotask(() => void this.#read());
    return encodePacket(connackOf(this.#request as ConnectRequest, this.session, this.#context.maxBytes), this.#audience());
  }

  #settled(id: number, outcome: Outcome): Buffer {
    const wasFull = this.#isFull();
    const packets: Buffer[] = [];
    for (const [publication, one] of this.unanswered.settle(id, outcome)) {
      const answers = answersTo(publication, one, this.#audience());
      if (answers) packets.push(...answers);
      else queueMicrotask(() => this.#fail((one as { readonly error: ParlorError }).error));
    }
    if (wasFull) void this.#read();
    return packets.length === 1 ? (packets[0] as Buffer) : Buffer.concat(packets);
  }

  // How it ends.

  #fail(thrown: unknown): void {
    if (this.#state === "ended") return;
    const error = thrown instanceof Breach ? thrown.error : refusalOf(thrown, this.#origin.requestId, this.#context.log);
    if (thrown instanceof Breach) this.#reasonCode = thrown.reasonCode;
    else this.#reasonCode = this.#state === "opening" ? connackCodeOf(error) : pubackCodeOf(error);
    this.#hub.reject(error.reason === Reason.TOO_LARGE ? Goodbye_Reason.FRAME_TOO_LARGE : Goodbye_Reason.BAD_FRAME, error);
  }

  /** What tells the client why: a CONNACK before it is let in, then a DISCONNECT, which MQTT 3.1.1 does not have. */
  #lastPacket(reason: Goodbye_Reason, message: string | undefined): Packet | undefined {
    const ending = endings[reason];
    if (this.#state === "opening") return refusalPacket(this.#version, this.#reasonCode ?? ending.mqttConnack, message);
    if (this.#state !== "open" || this.#version === 4) return undefined;
    const properties = message === undefined ? {} : { properties: { reasonString: message } };
    return { cmd: "disconnect", reasonCode: this.#reasonCode ?? ending.mqtt, ...properties };
  }

  #closed(): void {
    this.#state = "ended";
    this.#hub.closed();
    this.subscriptions.leaveGroups();
    void this.session?.leave(this.#expirySeconds);
  }

  #isOver(): boolean {
    return this.#state === "ended";
  }

  #audience(): Audience {
    const { maxPacketBytes = Number.POSITIVE_INFINITY, wantsProblems = true } = this.#request ?? {};
    return { version: this.#version, subscriptions: this.subscriptions, maxPacketBytes, wantsProblems };
  }
}
