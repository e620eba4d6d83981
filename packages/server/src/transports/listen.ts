import type { Server } from "node:http";
import type { Socket } from "node:net";
import type { Log } from "../ports/log.ts";
import type { Realtime } from "../realtime/connection.ts";
import type { Api } from "../services/api.ts";
import { ClientAddresses } from "./client-address.ts";
import { createGrpc } from "./grpc/server.ts";
import type { ServiceProofs } from "./grpc/service-trust.ts";
import { createHttpServer, type Patience } from "./http-server.ts";
import { OnePort } from "./one-port.ts";
import { AllowedOrigins } from "./origins.ts";
import type { MqttDoor } from "./protocols.ts";
import type { Operations } from "./rest/operations.ts";
import type { Documents } from "./rest/pages.ts";
import { serveRest } from "./rest/server.ts";
import type { TlsIdentity } from "./secure-door.ts";
import { serveWebSockets } from "./websocket/server.ts";

export interface ListenConfig {
  /** 0 takes any free port. */
  readonly port: number;
  readonly host: string;
  /** A port for gRPC alone, beside the one for every protocol. */
  readonly grpcPort?: number | undefined;
  /** A port for MQTT alone. */
  readonly mqttPort?: number | undefined;
  /** Where people reach the server, when that is not where it listens: pages from there may use it. */
  readonly publicUrl?: string | undefined;
  /** Other origins whose pages may use the server. */
  readonly allowedOrigins: readonly string[];
  readonly trustedProxies: readonly string[];
  readonly connectionsPerAddress: number;
  /** Largest body, frame or message that is read. */
  readonly frameBytes: number;
  readonly patience?: Patience;
}

const defaultPatience: Patience = { headersMs: 10_000, requestMs: 30_000 };

export interface ListenOptions {
  readonly config: ListenConfig;
  readonly api: Api;
  /** Left out where there are no streams. */
  readonly realtime?: Realtime | undefined;
  readonly operations: Operations;
  readonly documents: Documents;
  /** How other services prove who they are; without it nobody is believed. */
  readonly proofs?: ServiceProofs;
  /** `false` where other services alone may call: of HTTP and MQTT there is then nothing but what operators ask. */
  readonly forClients?: boolean;
  /** Takes connections that speak MQTT; they are closed when it is left out. */
  readonly mqtt?: MqttDoor | undefined;
  /** With it every port speaks TLS and nothing else. */
  readonly tls?: TlsIdentity | undefined;
  readonly log: Log;
}

export interface Listener {
  readonly port: number;
  readonly grpcPort: number | undefined;
  readonly mqttPort: number | undefined;
  /** The address for a browser on this machine, without a slash at its end. */
  readonly url: string;
  /** Takes no new connections or streams and says that it is not ready; what is under way goes on. */
  drain(): void;
  /** Takes another certificate for the connections that come from now on. @throws Error when it is not good */
  renewTls(identity: TlsIdentity): void;
  /** Lets what is under way end, for so long (milliseconds), cuts the rest, and resolves when nothing is left. */
  close(graceMs?: number): Promise<void>;
}

/** Serves every protocol on one port. @throws Error when the address cannot be had */
export async function listen(options: ListenOptions): Promise<Listener> {
  const { config, api, realtime, operations, documents, proofs = {}, forClients = true, mqtt, tls, log } = options;
  const { connectionsPerAddress, frameBytes: maxBytes, patience = defaultPatience } = config;
  const addresses = new ClientAddresses(config.trustedProxies);
  const origins = new AllowedOrigins([
    ...config.allowedOrigins,
    ...(config.publicUrl === undefined ? [] : [new URL(config.publicUrl).origin]),
  ]);
  let draining = false;
  const ready = async (): Promise<boolean> => !draining && (await operations.ready());

  const http = createHttpServer(patience);
  const rest = await serveRest(http, {
    api,
    addresses,
    origins,
    operations: { ...operations, ready },
    documents,
    forClients,
    maxBytes,
    log,
  });
  const refuseWebSockets =
    forClients && realtime ? serveWebSockets(http, { realtime, addresses, origins, maxBytes, mqtt, log }) : () => undefined;
  const grpc = createGrpc({ api, realtime, addresses, proofs, forClients, maxBytes, requestMs: patience.requestMs, log });

  const doors = { http: (socket: Socket) => void http.emit("connection", socket), grpc: (socket: Socket) => grpc.inject(socket) };
  const mqttDoor = mqtt && { mqtt: (socket: Socket) => mqtt(socket, addresses.of(socket.remoteAddress, undefined)) };
  const portOptions = { addresses, connectionsPerAddress, firstBytesMs: patience.headersMs, tls };
  const all = new OnePort({ ...portOptions, doors: { ...doors, ...mqttDoor } });
  const grpcOnly = new OnePort({ ...portOptions, doors: { grpc: doors.grpc } });
  const mqttOnly = new OnePort({ ...portOptions, doors: { ...mqttDoor } });
  const ports = [all, grpcOnly, mqttOnly];
  const drain = (): void => {
    draining = true;
    for (const one of ports) one.stop();
    refuseWebSockets();
    grpc.drain();
  };
  const renewTls = (identity: TlsIdentity): void => {
    for (const one of ports) one.renew(identity);
  };
  const close = async (graceMs = 0): Promise<void> => {
    drain();
    if (graceMs > 0) await emptied(http, ports, graceMs);
    grpc.close();
    for (const one of ports) one.destroy();
    http.close();
    await rest.close();
  };
  try {
    const port = await all.listen(config.port, config.host);
    const grpcPort = config.grpcPort === undefined ? undefined : await grpcOnly.listen(config.grpcPort, config.host);
    const mqttPort = config.mqttPort === undefined || !mqtt ? undefined : await mqttOnly.listen(config.mqttPort, config.host);
    const url = `${tls === undefined ? "http" : "https"}://${hostForUrl(config.host)}:${port}`;
    return { port, grpcPort, mqttPort, url, drain, renewTls, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** How often connections that wait for another request are looked for, which is when they can be closed (milliseconds). */
const IDLE_CHECK_MS = 50;

/** Resolves when no connection is left, or the time is over. */
async function emptied(http: Server, ports: readonly OnePort[], graceMs: number): Promise<void> {
  const over = Promise.withResolvers<void>();
  const timer = setTimeout(over.resolve, graceMs);
  const checks = setInterval(() => http.closeIdleConnections(), IDLE_CHECK_MS);
  http.closeIdleConnections();
  await Promise.race([over.promise, Promise.all(ports.map((port) => port.emptied()))]);
  clearTimeout(timer);
  clearInterval(checks);
}

function hostForUrl(host: string): string {
  if (host === "0.0.0.0" || host === "::" || host === "") return "localhost";
  return host.includes(":") ? `[${host}]` : host;
}
