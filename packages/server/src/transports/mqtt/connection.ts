import type { Duplex } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { create, type DescMethod, type Message, type MessageInitShape } from "@bufbuild/protobuf";
import { ClientFrameSchema, type Gap, type Goodbye, Goodbye_Reason, type ParlorError, Reason, type ServerFrame } from "@parlor/contract";
import type { IDisconnectPacket, Packet } from "mqtt-packet";
import type { Caller } from "../../domain/call.ts";
import type { Allowance, RateLimiter } from "../../domain/rate-limits.ts";
import type { Log } from "../../ports/log.ts";
import type { Connection, Origin, Realtime } from "../../realtime/connection.ts";
import type { DurableSessions, SessionCursor, SessionHold, SessionOwner } from "../../realtime/durable-session.ts";
import type { Api } from "../../services/api.ts";
import { refusalOf } from "../errors.ts";
import { type Audience, answersTo, encodePacket, isReceived, outcomeOf } from "./answers.ts";
import { Breach, protocolError } from "./breach.ts";
import { carryOut } from "./carry-out.ts";
import type { Client } from "./client.ts";
import { connackOf } from "./connack.ts";
import { type ConnectRequest, connectRequestOf, secondsOf } from "./connect.ts";
import { formatOf } from "./formats.ts";
import { gapPackets } from "./gaps.ts";
import { InFlight } from "./in-flight.ts";
import { Intake, type IntakeOwner } from "./intake.ts";
import { lastPacketOf, type State } from "./last-packet.ts";
import { callerOf, restore, resumedFlight, sentBefore } from "./opening.ts";
import { Pace } from "./pace.ts";
import { decodeConnect, decodePacket, type Version, versionOf } from "./packets.ts";
import { takePubacks } from "./plain-pubacks.ts";
import { PublicationKeys } from "./publication-keys.ts";
import { connackCodeOf, pubackCodeOf, ReasonCode } from "./reason-codes.ts";
import { Settlement } from "./settlement.ts";
import type { SharedGroups } from "./shared-groups.ts";
import { MqttSink } from "./sink.ts";
import { type Encoding, type Subscription, Subscriptions } from "./subscriptions.ts";
import { TopicAliases } from "./topic-aliases.ts";
import { isShared } from "./topics.ts";
import { type Outcome, Unanswered } from "./unanswered.ts";

export interface ConnectionContext {
  readonly api: Api;
  readonly realtime: Realtime;
  readonly sessions: DurableSessions;
  readonly groups: SharedGroups;
  /** What each connection has asked of the Store, by its id. */
  readonly asks: RateLimiter;
  /** Largest packet that is read once the client is known. */
  readonly maxBytes: number;
  readonly log: Log;
}

/** Largest CONNECT. */
const connectBytes = 16 * 1024;
/** Subscriptions, and look-ups of what was published before, that a connection may ask of the Store. */
const storeAllowance: Allowance = { perSecond: 50, burst: 100 };
/** Before its session began, a client may have published what it sends again (milliseconds). */
const forgottenMs = 300_000;
/** Packets that come with what is published, or answer it. */
const ownPace: ReadonlySet<Packet["cmd"]> = new Set(["publish", "puback", "pubrel"]);
/** How long a client has to take the last bytes and close (milliseconds). */
const closeMs = 3000;

/**
 * One MQTT connection: carries out its packets, and is a live connection of the hub. Most are idle, so what one of them may never
 * need is made when it does.
 */
export class MqttConnection implements Client, IntakeOwner, SessionOwner {
  readonly sink: MqttSink;
  readonly subscriptions = new Subscriptions();
  inFlight = new InFlight(0);
  session: SessionHold | undefined;
  encoding: Encoding = "json";
  readonly #stream: Duplex;
  readonly #context: ConnectionContext;
  readonly #origin: Origin;
  readonly #hub: Connection;
  readonly #intake: Intake;
  #settlement = new Settlement(Date.now() - forgottenMs, Date.now());
  #state: State = "new";
  #version: Version = 5;
  /** Until it is answered. */
  #request: ConnectRequest | undefined;
  #clientId = "";
  #maxPacketBytes = Number.POSITIVE_INFINITY;
  #wantsProblems = true;
  #caller: Caller | undefined;
  /** The reason code of the last packet, where the goodbye's reason does not tell it. */
  #reasonCode: number | undefined;
  #expirySeconds = 0;
  #pace: Pace | undefined;
  #unanswered: Unanswered | undefined;
  #aliases: TopicAliases | undefined;
  #keys: PublicationKeys | undefined;

  constructor(stream: Duplex, origin: Origin, context: ConnectionContext) {
    this.#stream = stream;
    this.#context = context;
    this.#origin = origin;
    this.sink = new MqttSink(stream, this);
    this.#hub = context.realtime.open(this.sink, origin);
    stream.on("close", () => this.#closed());
    this.#intake = new Intake(stream, this, connectBytes);
  }

  get version(): Version {
    return this.#version;
  }

  get settledAt(): number {
    return this.#settlement.settledAt;
  }

  get unanswered(): Unanswered {
    this.#unanswered ??= new Unanswered();
    return this.#unanswered;
  }

  get aliases(): TopicAliases {
    this.#aliases ??= new TopicAliases();
    return this.#aliases;
  }

  get keys(): PublicationKeys {
    this.#keys ??= new PublicationKeys(this.#clientId);
    return this.#keys;
  }

  // What the handlers of packets do.

  subscription(filter: string, qos: 0 | 1, encoding: Encoding): Subscription {
    const formats = { format: formatOf(this.#version, qos, encoding), ephemeralFormat: formatOf(this.#version, 0, encoding) };
    const share = isShared(filter) && { share: this.#context.groups.join(this.#caller?.userId ?? "", filter) };
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

  interestChanged(): void {
    this.#hub.interestChanged();
  }

  windowMoved(): void {
    this.sink.windowMoved();
  }

  async mayAsk(): Promise<boolean> {
    const take = (): number => this.#context.asks.take(this.#origin.requestId, storeAllowance);
    for (let ms = take(); ms > 0 && !this.isOver; ms = take()) await delay(ms);
    return !this.isOver;
  }

  disconnected({ reasonCode = ReasonCode.SUCCESS, properties }: IDisconnectPacket): void {
    const interval = properties?.sessionExpiryInterval;
    if (interval !== undefined) {
      if (interval > 0 && this.#expirySeconds === 0) throw protocolError("A session that was not to be kept cannot be kept now.");
      this.#expirySeconds = Math.min(secondsOf(interval), this.#expirySeconds);
    }
    // Section 3.14.4: then there is no will.
    if (reasonCode === ReasonCode.SUCCESS) this.#hub.offlineAfter(undefined);
    this.#finish();
    this.#hub.closed();
  }

  // What the hub does, by way of the sink.

  encode({ welcome, replies, gaps }: ServerFrame): Uint8Array {
    const told = this.#goOnBehind([...(welcome?.rooms.flatMap(({ gap }) => gap ?? []) ?? []), ...gaps]);
    if (welcome) return Buffer.concat([this.#opened(), ...told]);
    const settled = replies.map(({ id, result }) => this.#settled(id, outcomeOf(result, this.unanswered.wantsAnswer(id))));
    return Buffer.concat([...told, ...settled]);
  }

  end({ reason, error }: Goodbye): void {
    const last = lastPacketOf(this.#state, this.#version, { reason, reasonCode: this.#reasonCode, message: error?.message });
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

  /** What an earlier connection may have sent counts: this one may end before it comes so far, and the next has to know. */
  *cursors(): Iterable<readonly [string, SessionCursor]> {
    const before = this.session?.stored?.cursors;
    for (const [roomId, { acked, sent }] of this.inFlight.cursors())
      yield [roomId, { acked, sent: Math.max(sent, before?.get(roomId)?.sent ?? 0) }];
  }

  /** MQTT 5, section 3.1.4. */
  takenOver(): void {
    // Its client is here: it would appear offline for a moment only.
    this.#hub.offlineAfter(undefined);
    this.fail(protocolError("Another connection of this client id has taken the session over.", ReasonCode.SESSION_TAKEN_OVER));
  }

  // What arrives.

  get mayRead(): boolean {
    return (this.#state === "new" || this.#state === "open") && !this.#unanswered?.isFull;
  }

  get isOver(): boolean {
    return this.#state === "ended";
  }

  backlog(): Promise<void> | undefined {
    return this.sink.backlog();
  }

  takePubacks(bytes: Buffer): number {
    if (this.#state !== "open") return 0;
    const taken = takePubacks(bytes, this.inFlight, this.session);
    if (taken === 0) return 0;
    this.#heard(Date.now());
    this.windowMoved();
    return taken;
  }

  /** @throws Breach */
  take(bytes: Buffer): Promise<void> | undefined {
    if (this.#state === "new") return this.#connect(bytes);
    if (this.takePubacks(bytes) === bytes.length) return undefined;
    const now = Date.now();
    this.#heard(now);
    const packet = decodePacket(bytes, this.#version);
    if (!ownPace.has(packet.cmd)) {
      this.#pace ??= new Pace();
      this.#pace.control(now);
    }
    return carryOut(this, packet);
  }

  #heard(now: number): void {
    this.#hub.alive();
    if (this.#settlement.heard(now, this.#unanswered?.oldestSince)) this.session?.moved();
  }

  async #connect(bytes: Buffer): Promise<void> {
    this.#version = versionOf(bytes);
    this.#state = "opening";
    const request = connectRequestOf(decodeConnect(bytes));
    const caller = await callerOf(this.#context.api, request, this.#origin);
    this.#caller = caller;
    if (this.isOver) return;
    // Nobody can come back with a client id that was made here.
    const mayReturn = !request.assigned || request.expirySeconds > 0;
    if (mayReturn)
      this.session = await this.#context.sessions.claim({ userId: caller.userId, connectionId: this.#origin.requestId, ...request }, this);
    this.#expirySeconds = this.session?.expirySeconds ?? 0;
    if (this.isOver) return void this.session?.leave(this.#expirySeconds);
    this.#begin(request);
    this.#hub.offlineAfter(request.willDelayMs);
    const resume = [...this.inFlight.cursors()].map(([roomId, { acked }]) => ({ roomId, seq: acked }));
    this.#hub.receive(create(ClientFrameSchema, { kind: { case: "hello", value: { token: request.token, resume } } }));
  }

  #begin(request: ConnectRequest): void {
    const { clientId, encoding, maxPacketBytes, silenceMs, wantsProblems } = request;
    this.#request = request;
    this.#clientId = clientId;
    this.encoding = encoding;
    this.#maxPacketBytes = maxPacketBytes;
    this.#wantsProblems = wantsProblems;
    this.#intake.maxBytes = this.#context.maxBytes;
    if (this.session?.stored) this.#settlement = new Settlement(this.session.stored.settledAt, Date.now());
    this.inFlight = resumedFlight(request, this.session);
    restore(this, this.session);
    this.sink.begin({ inFlight: this.inFlight, maxPacketBytes, silenceMs, sentBefore: sentBefore(this.session) });
  }

  /** The hub has let it in: the CONNACK goes first, then what came meanwhile is read. */
  #opened(): Uint8Array {
    this.#state = "open";
    queueMicrotask(() => this.#intake.read());
    const connack = connackOf(this.#request as ConnectRequest, this.session, this.#context.maxBytes);
    // It holds the token, and is not needed any more.
    this.#request = undefined;
    return encodePacket(connack, this.#audience());
  }

  /** What will not come need not be acknowledged. The packets that say so. */
  #goOnBehind(gaps: readonly Gap[]): Buffer[] {
    if (gaps.length === 0) return [];
    for (const { roomId, to } of gaps) {
      if (this.inFlight.cursor(roomId) === undefined) continue;
      this.inFlight.begin(roomId, to);
      this.session?.moved(roomId);
    }
    this.windowMoved();
    return gapPackets(gaps, this.#audience());
  }

  #settled(id: number, outcome: Outcome): Buffer {
    const wasFull = this.unanswered.isFull;
    const packets: Buffer[] = [];
    for (const [publication, one] of this.unanswered.settle(id, outcome)) {
      const answers = answersTo(publication, one, this.#audience());
      if (isReceived(publication, one, this.#version)) this.unanswered.received(publication.packetId);
      if (answers) packets.push(...answers);
      else queueMicrotask(() => this.fail((one as { readonly error: ParlorError }).error));
    }
    if (wasFull) this.#intake.read();
    return packets.length === 1 ? (packets[0] as Buffer) : Buffer.concat(packets);
  }

  // How it ends.

  fail(thrown: unknown): void {
    if (this.#state === "ended") return;
    const error = thrown instanceof Breach ? thrown.error : refusalOf(thrown, this.#origin.requestId, this.#context.log);
    if (thrown instanceof Breach) this.#reasonCode = thrown.reasonCode;
    else this.#reasonCode = this.#state === "opening" ? connackCodeOf(error) : pubackCodeOf(error);
    this.#hub.reject(error.reason === Reason.TOO_LARGE ? Goodbye_Reason.FRAME_TOO_LARGE : Goodbye_Reason.BAD_FRAME, error);
  }

  #closed(): void {
    this.#state = "ended";
    this.#hub.closed();
    this.sink.windowMoved();
    this.subscriptions.leaveGroups();
    void this.session?.leave(this.#expirySeconds);
  }

  #audience(): Audience {
    const { subscriptions } = this;
    return { version: this.#version, subscriptions, maxPacketBytes: this.#maxPacketBytes, wantsProblems: this.#wantsProblems };
  }
}
