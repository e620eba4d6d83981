// The ways in which somebody hostile speaks to a server: requests as they are, right or wrong, and what comes back.
import { once } from "node:events";
import { connect as connectHttp2, type IncomingHttpHeaders } from "node:http2";
import { create, type DescMethod, fromBinary, fromJsonString, type MessageInitShape, toBinary, toJsonString } from "@bufbuild/protobuf";
import {
  ClientFrameSchema,
  ErrorSchema,
  type Goodbye,
  Goodbye_Reason,
  ParlorError,
  Reason,
  type Reply,
  ServerFrameSchema,
  toHttp,
} from "@parlor/contract";
import { WebSocket } from "ws";
import { Inbox } from "../support/inbox.ts";

/** What came of an attempt: accepted, or the error as every protocol tells it. */
export interface Outcome {
  /** "OK", or the name of the reason. */
  readonly reason: string;
  /** The fields that the error names, sorted, each once. */
  readonly fields: readonly string[];
  readonly error?: ParlorError;
}

export const accepted: Outcome = { reason: "OK", fields: [] };

export function outcomeOf(error: ParlorError): Outcome {
  return { reason: Reason[error.reason], fields: [...new Set(error.violations.map(({ field }) => field))].sort(), error };
}

/** A request over REST, in its own bytes. */
export async function rest(url: string, verb: string, path: string, token: string, body?: string | Buffer<ArrayBuffer>): Promise<Outcome> {
  const response = await fetch(`${url}/api/v1${path}`, {
    method: verb,
    headers: { "content-type": "application/json", ...(token === "" ? {} : { authorization: `Bearer ${token}` }) },
    ...(body === undefined ? {} : { body }),
  });
  const text = await response.text();
  return response.ok ? accepted : outcomeOf(ParlorError.fromWire(fromJsonString(ErrorSchema, text)));
}

/** A method over REST. */
export function callRest<M extends DescMethod>(
  url: string,
  method: M,
  request: MessageInitShape<M["input"]>,
  token: string,
): Promise<Outcome> {
  const { verb, path, body } = toHttp(method, create(method.input, request));
  return rest(url, verb, path, token, body);
}

/** A unary gRPC call, in its own bytes; whatever follows the message's prefix. */
export function callGrpc(port: number, path: string, bytes: Uint8Array, token: string): Promise<Outcome> {
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  const headers = { ":method": "POST", ":path": path, "content-type": "application/grpc", te: "trailers" };
  const stream = session.request(token === "" ? headers : { ...headers, authorization: `Bearer ${token}` });
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(bytes.length, 1);
  stream.end(Buffer.concat([prefix, bytes]));
  stream.resume();
  return new Promise<Outcome>((resolve, reject) => {
    const take = (answer: IncomingHttpHeaders): void => {
      if (answer["grpc-status"] !== undefined) resolve(grpcOutcome(answer));
    };
    stream.on("response", take).on("trailers", take).on("error", reject);
    session.on("error", reject);
    stream.on("close", () => reject(new Error("the stream was closed without a status")));
  }).finally(() => session.destroy());
}

function grpcOutcome(answer: IncomingHttpHeaders): Outcome {
  if (answer["grpc-status"] === "0") return accepted;
  const bytes = answer["parlor-error-bin"];
  if (typeof bytes !== "string") return { reason: `gRPC status ${answer["grpc-status"]}`, fields: [] };
  return outcomeOf(ParlorError.fromWire(fromBinary(ErrorSchema, Buffer.from(bytes, "base64"))));
}

export const grpcPath = (method: DescMethod): string => `/${method.parent.typeName}/${method.name}`;

export type Format = "json" | "proto";

/** A stream over WebSocket that says what it is told. */
export class HostileStream {
  readonly replies = new Inbox<Reply>();
  /** How it ended: the goodbye's reason and the close code. */
  readonly ended: Promise<{ readonly reason: string; readonly code: number; readonly error: ParlorError | undefined }>;
  readonly #webSocket: WebSocket;
  readonly #format: Format;
  readonly #welcomed = Promise.withResolvers<void>();
  readonly #waiting = new Map<number, (outcome: Outcome) => void>();
  #goodbye: Goodbye | undefined;
  #lastId = 0;

  private constructor(webSocket: WebSocket, format: Format) {
    this.#webSocket = webSocket;
    this.#format = format;
    this.ended = new Promise((resolve) => {
      webSocket.on("close", (code) => {
        const error = this.#goodbye?.error;
        resolve({ reason: Goodbye_Reason[this.#goodbye?.reason ?? 0] ?? "", code, error: error && ParlorError.fromWire(error) });
      });
    });
    webSocket.on("error", () => undefined);
    webSocket.on("message", (data: Buffer) => this.#take(data));
  }

  /** Connects without a hello. */
  static async connect(port: number, format: Format, headers: Record<string, string> = {}): Promise<HostileStream> {
    const webSocket = new WebSocket(`ws://127.0.0.1:${port}/api/v1/realtime`, `parlor.v1.${format}`, { headers });
    const stream = new HostileStream(webSocket, format);
    await once(webSocket, "open");
    return stream;
  }

  /** Connects and says hello. */
  static async open(port: number, format: Format, token: string): Promise<HostileStream> {
    const stream = await HostileStream.connect(port, format);
    stream.frame({ kind: { case: "hello", value: { token } } });
    await stream.#welcomed.promise;
    return stream;
  }

  frame(frame: MessageInitShape<typeof ClientFrameSchema>): void {
    const message = create(ClientFrameSchema, frame);
    this.raw(this.#format === "json" ? toJsonString(ClientFrameSchema, message) : toBinary(ClientFrameSchema, message));
  }

  raw(data: string | Uint8Array): void {
    this.#webSocket.send(data);
  }

  /** Says a frame and waits for its answer, or for the end of the stream. */
  ask(kind: NonNullable<MessageInitShape<typeof ClientFrameSchema>["kind"]>): Promise<Outcome> {
    const id = ++this.#lastId;
    this.frame({ id, kind });
    return this.answer(id);
  }

  /** The answer to the frame with this id, or how the stream ended before. */
  answer(id: number): Promise<Outcome> {
    const known = this.replies.items.find((reply) => reply.id === id);
    if (known) return Promise.resolve(replyOutcome(known));
    const reply = new Promise<Outcome>((resolve) => this.#waiting.set(id, resolve));
    const end = this.ended.then(({ error, reason }) => (error ? outcomeOf(error) : { reason, fields: [] }));
    return Promise.race([reply, end]);
  }

  close(): void {
    this.#webSocket.terminate();
  }

  #take(data: Buffer): void {
    const frame = this.#format === "json" ? fromJsonString(ServerFrameSchema, data.toString()) : fromBinary(ServerFrameSchema, data);
    if (frame.welcome) this.#welcomed.resolve();
    if (frame.goodbye) this.#goodbye = frame.goodbye;
    for (const reply of frame.replies) {
      this.replies.put(reply);
      this.#waiting.get(reply.id)?.(replyOutcome(reply));
    }
  }
}

function replyOutcome({ result }: Reply): Outcome {
  return result.case === "error" ? outcomeOf(ParlorError.fromWire(result.value)) : accepted;
}
