import { readFileSync } from "node:fs";
import { create, type DescMethod, type Message, type MessageShape } from "@bufbuild/protobuf";
import {
  type ClientFrame,
  type Code,
  type GetMeResponseSchema,
  Goodbye_Reason,
  GoodbyeSchema,
  ParlorError,
  Reason,
  ServerFrameSchema,
  User_Role,
} from "@parlor/contract";
import type { Call, Caller } from "../../src/domain/call.ts";
import { unauthenticated } from "../../src/domain/refusals.ts";
import type { RoomEvent } from "../../src/domain/room-event.ts";
import { noLog } from "../../src/ports/log.ts";
import type { Connection, Origin, Realtime } from "../../src/realtime/connection.ts";
import type { Sink } from "../../src/realtime/sink.ts";
import type { Api } from "../../src/services/api.ts";
import type { ServiceProofs } from "../../src/transports/grpc/service-trust.ts";
import { type ListenConfig, type Listener, listen } from "../../src/transports/listen.ts";
import type { MqttDoor } from "../../src/transports/protocols.ts";
import type { TlsIdentity } from "../../src/transports/secure-door.ts";

// These tests are about bytes, and what they are mapped to: behind the seam stands the least that can answer.

export const caller: Caller = { userId: "018f0000-0000-7000-8000-000000000001", username: "ada", role: User_Role.USER, sessionId: "s" };

type Answer = (request: Message, call: Call) => object;

interface Asked {
  readonly method: string;
  readonly request: Message;
  readonly call: Call;
}

/** Answers what the test says, or the method's empty response, and keeps what it was asked. */
export class FakeApi implements Api {
  readonly calls: Asked[] = [];
  readonly answers = new Map<string, Answer>();

  get last(): Asked {
    return this.calls.at(-1) as Asked;
  }

  async authenticate(token: string | undefined): Promise<Caller | undefined> {
    if (token === undefined) return undefined;
    if (token !== "good") throw unauthenticated(Reason.TOKEN_INVALID, "The token is not valid.");
    return caller;
  }

  async call(method: DescMethod, request: Message, call: Call): Promise<Message> {
    this.calls.push({ method: method.name, request, call });
    return create(method.output, (this.answers.get(method.name)?.(request, call) ?? {}) as MessageShape<typeof GetMeResponseSchema>);
  }
}

/** A connection that answers each frame with an empty one, and keeps what came. */
export class FakeConnection implements Connection {
  readonly sink: Sink;
  readonly origin: Origin;
  readonly frames: ClientFrame[] = [];
  readonly log: string[] = [];
  /** Called after everything that happens. */
  onChange: () => void = () => {};
  errors: ParlorError[] = [];

  constructor(sink: Sink, origin: Origin) {
    this.sink = sink;
    this.origin = origin;
  }

  receive(frame: ClientFrame): void {
    this.frames.push(frame);
    this.sink.write(this.sink.encode(create(ServerFrameSchema, { replies: [{ id: frame.id, result: { case: "pong", value: {} } }] })));
    this.#note(`receive ${frame.kind.case}`);
  }

  reject(reason: Goodbye_Reason, error: ParlorError): void {
    this.errors.push(error);
    this.sink.end(create(GoodbyeSchema, { reason, error: error.toWire() }));
    this.#note(`reject ${Goodbye_Reason[reason]} ${Reason[error.reason]}`);
  }

  refuse(id: number, error: ParlorError): void {
    this.errors.push(error);
    this.sink.write(this.sink.encode(create(ServerFrameSchema, { replies: [{ id, result: { case: "error", value: error.toWire() } }] })));
    this.#note(`refuse ${id}`);
  }

  alive(): void {
    this.#note("alive");
  }

  offlineAfter(ms: number | undefined): void {
    this.#note(`offlineAfter ${ms}`);
  }

  interestChanged(): void {
    this.#note("interestChanged");
  }

  closed(): void {
    this.#note("closed");
  }

  position(): number {
    return 0;
  }

  rooms(): string[] {
    return [];
  }

  /** Resolves when something has been noted, now or before. */
  async until(entry: string): Promise<void> {
    while (!this.log.includes(entry)) await new Promise<void>((resolve) => (this.onChange = resolve));
  }

  #note(entry: string): void {
    this.log.push(entry);
    this.onChange();
  }
}

export class FakeRealtime implements Realtime {
  readonly connections: FakeConnection[] = [];
  readonly #waiting: ((connection: FakeConnection) => void)[] = [];

  open(sink: Sink, origin: Origin): Connection {
    const connection = new FakeConnection(sink, origin);
    this.connections.push(connection);
    this.#waiting.shift()?.(connection);
    return connection;
  }

  /** The next connection that is opened. */
  next(): Promise<FakeConnection> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}

export interface Rig extends AsyncDisposable {
  readonly api: FakeApi;
  readonly realtime: FakeRealtime;
  readonly listener: Listener;
  readonly url: string;
  readonly port: number;
}

export interface RigOptions extends Partial<ListenConfig> {
  readonly ready?: () => Promise<boolean>;
  readonly metricsFor?: "local" | "all" | "off";
  readonly tls?: TlsIdentity;
  readonly mqtt?: MqttDoor;
  readonly proofs?: ServiceProofs;
}

const document = (name: string): string => readFileSync(new URL(`../../../contract/${name}.json`, import.meta.url), "utf8");

/** A listener on a free port with nothing but bytes behind it. */
export async function rig({
  ready = async () => true,
  metricsFor = "local",
  tls,
  mqtt,
  proofs = {},
  ...config
}: RigOptions = {}): Promise<Rig> {
  const api = new FakeApi();
  const realtime = new FakeRealtime();
  const listener = await listen({
    config: {
      port: 0,
      host: "127.0.0.1",
      allowedOrigins: [],
      trustedProxies: [],
      connectionsPerAddress: 1000,
      frameBytes: 65_536,
      ...config,
    },
    api,
    realtime,
    operations: {
      ready,
      metricsFor,
      jwks: () => ({ keys: [] }),
      metrics: async () => ({ contentType: "text/plain; version=0.0.4", text: "parlor_up 1\n" }),
    },
    documents: { openapi: document("openapi"), asyncapi: document("asyncapi") },
    ...(mqtt === undefined ? {} : { mqtt }),
    tls,
    proofs,
    log: noLog,
  });
  return { api, realtime, listener, url: listener.url, port: listener.port, [Symbol.asyncDispose]: () => listener.close() };
}

export function refusing(code: Code, reason: Reason, message: string, details: ConstructorParameters<typeof ParlorError>[3] = {}): Answer {
  return () => {
    throw new ParlorError(code, reason, message, details);
  };
}

/** What a reader gets for these events. */
export function eventsFrame(sink: Sink, events: readonly RoomEvent[]): Uint8Array {
  return sink.formatFor(events[0] as RoomEvent)?.events(events) ?? new Uint8Array();
}
