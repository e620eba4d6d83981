// gRPC with a generic client: paths and messages come from the contract's descriptors.
import { create, type DescMethod, fromBinary, type MessageInitShape, type MessageShape, toBinary } from "@bufbuild/protobuf";
import * as grpc from "@grpc/grpc-js";
import {
  AuthService,
  ClientFrameSchema,
  type Code,
  ErrorSchema,
  type Event,
  type Gap,
  type Goodbye,
  ParlorError,
  RealtimeService,
  Reason,
  type Reply,
  type ServerFrame,
  ServerFrameSchema,
  type User,
  type Welcome,
} from "@parlor/contract";
import { Inbox } from "../inbox.ts";
import { password } from "../running.ts";
import type { Cursor, Driver, Ending, Live, Person } from "./driver.ts";

const same = (bytes: Buffer): Buffer => bytes;
const pathOf = (method: DescMethod): string => `/${method.parent.typeName}/${method.name}`;

export function grpcDriver(port: number): Driver {
  const withToken = (token: string, user: User): Person => new GrpcPerson(port, token, user);
  const begin = async (method: typeof AuthService.method.signUp | typeof AuthService.method.logIn, username: string): Promise<Person> => {
    const stranger = new GrpcPerson(port, "", undefined);
    const { user, tokens } = await stranger.call(method, { username, password });
    stranger.close();
    return withToken(tokens?.accessToken ?? "", user as User);
  };
  return {
    name: "gRPC",
    signUp: (username) => begin(AuthService.method.signUp, username),
    logIn: (username) => begin(AuthService.method.logIn, username),
    withToken,
  };
}

class GrpcPerson implements Person {
  readonly token: string;
  readonly #user: User | undefined;
  readonly #client: grpc.Client;

  constructor(port: number, token: string, user: User | undefined) {
    this.token = token;
    this.#user = user;
    // A connection of one's own, as another program would have.
    this.#client = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure(), {
      "grpc.use_local_subchannel_pool": 1,
      "grpc.initial_reconnect_backoff_ms": 100,
      "grpc.max_reconnect_backoff_ms": 200,
    });
  }

  get user(): User {
    return this.#user as User;
  }

  call<M extends DescMethod>(method: M, request: MessageInitShape<M["input"]>): Promise<MessageShape<M["output"]>> {
    const bytes = Buffer.from(toBinary(method.input, create(method.input, request)));
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(pathOf(method), same, same, bytes, this.#metadata(), (error, answer) => {
        if (error) reject(errorOf(error));
        else resolve(fromBinary(method.output, answer as Buffer) as MessageShape<M["output"]>);
      });
    });
  }

  connect(resume: readonly Cursor[] = []): Promise<Live> {
    const call = this.#client.makeBidiStreamRequest(pathOf(RealtimeService.method.connect), same, same, this.#metadata());
    return new GrpcStream(call).open(resume);
  }

  close(): void {
    this.#client.close();
  }

  #metadata(): grpc.Metadata {
    const metadata = new grpc.Metadata();
    if (this.token !== "") metadata.set("authorization", `Bearer ${this.token}`);
    return metadata;
  }
}

/** One RealtimeService.Connect. */
class GrpcStream {
  readonly #call: grpc.ClientDuplexStream<Buffer, Buffer>;
  readonly #inbox = new Inbox<Event>();
  readonly #gaps = new Inbox<Gap>();
  readonly #opened = Promise.withResolvers<Welcome>();
  readonly #ended = Promise.withResolvers<Ending>();
  readonly #answers = new Map<number, PromiseWithResolvers<Reply["result"]>>();
  #lastId = 0;
  #goodbye: Goodbye | undefined;
  /** Why there will be no more answers. */
  #over: ParlorError | undefined;

  constructor(call: grpc.ClientDuplexStream<Buffer, Buffer>) {
    this.#call = call;
    call.on("data", (bytes: Buffer) => this.#take(fromBinary(ServerFrameSchema, bytes)));
    call.on("error", () => undefined);
    call.on("status", (status: grpc.StatusObject) => this.#end(errorOf(status)));
  }

  async open(resume: readonly Cursor[]): Promise<Live> {
    this.#write({ kind: { case: "hello", value: { resume: resume.map(({ roomId, seq }) => ({ roomId, seq })) } } });
    const welcome = await this.#opened.promise;
    return {
      welcome,
      inbox: this.#inbox,
      gaps: this.#gaps,
      ended: this.#ended.promise,
      send: async (roomId, text, clientMessageId) => this.#ask({ case: "send", value: { roomId, text, clientMessageId } }),
      markRead: async (roomId, seq) => (await this.#ask({ case: "markRead", value: { roomId, seq } })).readSeq,
      setPresence: async (status) => (await this.#ask({ case: "setPresence", value: { status } })).presence ?? assertNever(),
      typing: (roomId) => this.#write({ kind: { case: "typing", value: { roomId } } }),
      close: () => this.#call.cancel(),
    };
  }

  async #ask<C extends "send" | "markRead" | "setPresence">(
    kind: Extract<MessageInitShape<typeof ClientFrameSchema>["kind"], { case: C }>,
  ) {
    if (this.#over) throw this.#over;
    const id = ++this.#lastId;
    const answer = Promise.withResolvers<Reply["result"]>();
    this.#answers.set(id, answer);
    this.#write({ id, kind: kind as NonNullable<MessageInitShape<typeof ClientFrameSchema>["kind"]> });
    const result = await answer.promise;
    if (result.case === "error") throw ParlorError.fromWire(result.value);
    return result.value as Extract<Reply["result"], { case: C }>["value"];
  }

  #write(frame: MessageInitShape<typeof ClientFrameSchema>): void {
    this.#call.write(Buffer.from(toBinary(ClientFrameSchema, create(ClientFrameSchema, frame))));
  }

  #take({ welcome, gaps, events, replies, goodbye }: ServerFrame): void {
    if (welcome) this.#opened.resolve(welcome);
    for (const gap of [...(welcome?.rooms.flatMap((room) => room.gap ?? []) ?? []), ...gaps]) this.#gaps.put(gap);
    for (const event of events) this.#inbox.put(event);
    for (const { id, result } of replies) this.#answers.get(id)?.resolve(result);
    if (goodbye) this.#goodbye = goodbye;
  }

  #end(status: ParlorError): void {
    const { error, reason, reconnectAfterMs } = this.#goodbye ?? {};
    const refusal = error ? ParlorError.fromWire(error) : status;
    this.#over = refusal;
    this.#opened.promise.catch(() => undefined);
    this.#opened.reject(refusal);
    for (const { promise, reject } of this.#answers.values()) {
      promise.catch(() => undefined);
      reject(refusal);
    }
    this.#ended.resolve({ reason, afterMs: reconnectAfterMs || undefined });
  }
}

function assertNever(): never {
  throw new Error("the answer holds no presence");
}

/** The contract's error, or what gRPC says where the server did not answer. */
function errorOf({ code, details, metadata }: grpc.StatusObject | grpc.ServiceError): ParlorError {
  const bytes = metadata.get("parlor-error-bin")[0] as Buffer | undefined;
  if (bytes) return ParlorError.fromWire(fromBinary(ErrorSchema, bytes));
  return new ParlorError(code as number as Code, Reason.REASON_UNSPECIFIED, details);
}
