import { setTimeout as delay } from "node:timers/promises";
import { type DescMethod, fromBinary, type Message, toBinary } from "@bufbuild/protobuf";
import {
  type ChannelCredentials,
  Client,
  type ClientDuplexStream,
  type ClientOptions,
  connectivityState,
  credentials,
  Metadata,
  type MethodDefinition,
  type ServiceError,
} from "@grpc/grpc-js";
import { RealtimeService } from "@parlor/contract";
import { service as health } from "grpc-health-check";
import type { Call } from "../../domain/call.ts";
import { forwardedBytes, serviceMetadata } from "../../domain/forwarded-call.ts";
import type { ServiceName } from "../../domain/service-names.ts";
import type { Origin } from "../../realtime/connection.ts";
import { busy, failureOf, isLost, isRepeatable, late, unreachable } from "./failures.ts";

/** What a service in another process is reached with. */
export interface ChannelOptions {
  readonly name: ServiceName;
  /** Such as http://rooms:8080. A name that stands for several addresses is several processes, which take turns. */
  readonly url: string;
  /** The secret that services share; left out where certificates prove who this process is. */
  readonly token?: string | undefined;
  readonly tls?: ServiceTls;
  /** Most calls under way. */
  readonly mostCalls?: number;
}

/** For https: the authorities of the services' certificates (the system's when left out), and this process's own. PEM. */
export interface ServiceTls {
  readonly ca?: Buffer;
  readonly key?: Buffer;
  readonly cert?: Buffer;
}

interface Clients {
  readonly calls: Client;
  /** On connections of their own, so that calls do not wait behind what many readers are sent. */
  readonly streams: Client;
}

/**
 * A call that waits costs 35 to 70 KB here, most of it in grpc-js (measured): so many are 350 MB at most, and half a second's
 * work of a service that answers 10,000 a second.
 */
const mostCalls = 5000;

/** How long a call waits for an answer where the client did not say (milliseconds). */
const longestMs = 30_000;
/** How long it waits for a connection, such as to a service that is being restarted. */
const connectMs = 1500;
/** How long a stream waits for a connection, and for its first sign (milliseconds). */
const openMs = 3000;
/** Pauses before a call is repeated. */
const pausesMs = [50, 200, 500];

/** What may be under way on the streams of a connection, and on one of them; the default, 64 KiB, is little for a busy room. */
const windowBytes = 512 * 1024;

const grpcOptions: ClientOptions = {
  "grpc.max_receive_message_length": -1,
  "grpc.max_send_message_length": -1,
  "grpc.initial_reconnect_backoff_ms": 100,
  "grpc.min_reconnect_backoff_ms": 100,
  "grpc.max_reconnect_backoff_ms": 2000,
  "grpc.keepalive_time_ms": 10_000,
  "grpc.keepalive_timeout_ms": 5000,
  "grpc.service_config_disable_resolution": 1,
  "grpc.service_config": JSON.stringify({ loadBalancingConfig: [{ round_robin: {} }] }),
  "grpc.use_local_subchannel_pool": 1,
  "grpc.enable_channelz": 0,
};

const same = (bytes: Buffer): Buffer => bytes;
const pathOf = (method: DescMethod): string => `/${method.parent.typeName}/${method.name}`;

/** The way to a service in another process. It connects by itself, and again whenever the connection is lost. */
export class ServiceChannel {
  readonly name: ServiceName;
  readonly url: string;
  readonly #token: string | undefined;
  readonly #mostCalls: number;
  #tls: ServiceTls;
  #clients: Clients;
  /** Those of before a renewal, by the timers at whose end they are closed. */
  readonly #retired = new Map<NodeJS.Timeout, Clients>();
  #underWay = 0;

  constructor({ name, url, token, tls = {}, mostCalls: most = mostCalls }: ChannelOptions) {
    this.name = name;
    this.url = url;
    this.#token = token;
    this.#mostCalls = most;
    this.#tls = tls;
    this.#clients = clientsOf(url, tls);
  }

  get tls(): ServiceTls {
    return this.#tls;
  }

  /**
   * To an https URL, connects with these from now on. What is under way goes on as it is: calls have ended after `retireMs`, and streams
   * keep their connection, to which nothing new is added.
   * @throws Error when they are not good, and keeps what it had
   */
  renew(tls: ServiceTls, retireMs = longestMs): void {
    if (!isSecure(this.url)) return;
    const retired = this.#clients;
    this.#clients = clientsOf(this.url, tls);
    this.#tls = tls;
    const timer = setTimeout(() => {
      this.#retired.delete(timer);
      closed(retired);
    }, retireMs);
    this.#retired.set(timer.unref(), retired);
  }

  /**
   * Calls a method for somebody, and again after a lost connection where that changes nothing more.
   * @throws ParlorError the service's own; UNAVAILABLE when it cannot be reached or has too many calls; DEADLINE_EXCEEDED
   */
  async call(method: DescMethod, request: Message, call: Call): Promise<Message> {
    if (this.#underWay >= this.#mostCalls) throw busy(this.name);
    this.#underWay++;
    try {
      return await this.#repeated(method, request, call);
    } finally {
      this.#underWay--;
    }
  }

  /** Opens a RealtimeService.Connect for a client. It ends when there is no connection in time. */
  connect(origin: Origin): ClientDuplexStream<Buffer, Buffer> {
    const metadata = this.#metadata(origin);
    metadata.setOptions({ waitForReady: true });
    if (origin.token !== undefined) metadata.set("authorization", `Bearer ${origin.token}`);
    const stream = this.#clients.streams.makeBidiStreamRequest(pathOf(RealtimeService.method.connect), same, same, metadata);
    const timer = setTimeout(() => stream.cancel(), openMs);
    stream.once("metadata", () => clearTimeout(timer));
    stream.once("status", () => clearTimeout(timer));
    return stream;
  }

  /** Whether the service is there and takes calls, asked now. */
  reachable(): Promise<boolean> {
    const { path, requestSerialize, responseDeserialize } = health["Check"] as MethodDefinition<object, { readonly status: string }>;
    const options = { deadline: Date.now() + connectMs };
    return new Promise((resolve) => {
      this.#clients.calls.makeUnaryRequest(path, requestSerialize, responseDeserialize, { service: "" }, options, (error, answer) =>
        resolve(!error && answer?.status === "SERVING"),
      );
    });
  }

  close(): void {
    for (const [timer, clients] of this.#retired) {
      clearTimeout(timer);
      closed(clients);
    }
    this.#retired.clear();
    closed(this.#clients);
  }

  async #repeated(method: DescMethod, request: Message, call: Call): Promise<Message> {
    const bytes = toBuffer(toBinary(method.input, request));
    const repeatable = isRepeatable(method, request);
    const deadline = Math.min(call.deadline ?? Infinity, Date.now() + longestMs);
    for (let tried = 0; ; tried++) {
      await this.#connected(deadline);
      try {
        return fromBinary(method.output, await this.#ask(pathOf(method), bytes, this.#metadata(call), deadline));
      } catch (thrown) {
        const error = thrown as ServiceError;
        const pauseMs = repeatable && isLost(error) ? pausesMs[tried] : undefined;
        if (pauseMs === undefined || Date.now() + pauseMs >= deadline) throw failureOf(this.name, error);
        await delay(pauseMs * (0.5 + Math.random()));
      }
    }
  }

  /** A call is not sent before there is somebody to send it to, so that one that was never sent is known as such. */
  #connected(deadline: number): Promise<void> {
    const { calls } = this.#clients;
    if (calls.getChannel().getConnectivityState(true) === connectivityState.READY) return Promise.resolve();
    const patience = Date.now() + connectMs;
    return new Promise((resolve, reject) => {
      calls.waitForReady(Math.min(deadline, patience), (error) => {
        if (error) reject(deadline < patience ? late(error) : unreachable(this.name));
        else resolve();
      });
    });
  }

  #ask(path: string, bytes: Buffer, metadata: Metadata, deadline: number): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.#clients.calls.makeUnaryRequest(path, same, same, bytes, metadata, { deadline }, (error, answer) => {
        if (error) reject(error);
        else resolve(answer as Buffer);
      });
    });
  }

  #metadata(call: Pick<Call, "requestId" | "protocol" | "address" | "caller" | "traceparent">): Metadata {
    const metadata = new Metadata();
    if (this.#token !== undefined) metadata.set(serviceMetadata.token, this.#token);
    metadata.set(serviceMetadata.call, forwardedBytes(call));
    metadata.set("x-request-id", call.requestId);
    if (call.traceparent !== undefined) metadata.set("traceparent", call.traceparent);
    return metadata;
  }
}

function clientsOf(url: string, tls: ServiceTls): Clients {
  const { hostname, port } = new URL(url);
  const secure = isSecure(url);
  const target = `dns:${hostname}:${port || (secure ? 443 : 80)}`;
  const credential = secure ? secured(tls) : credentials.createInsecure();
  const streamOptions = { ...grpcOptions, "grpc.enable_retries": 0, "grpc-node.flow_control_window": windowBytes };
  return { calls: new Client(target, credential, grpcOptions), streams: new Client(target, credential, streamOptions) };
}

function isSecure(url: string): boolean {
  return new URL(url).protocol === "https:";
}

function closed({ calls, streams }: Clients): void {
  calls.close();
  streams.close();
}

function secured({ ca, key, cert }: ServiceTls): ChannelCredentials {
  return key && cert ? credentials.createSsl(ca ?? null, key, cert) : credentials.createSsl(ca ?? null);
}

function toBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
