import type { Http2Server } from "node:http2";
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { internalServices, services, unaryMethods } from "@parlor/contract";
import { HealthImplementation } from "grpc-health-check";
import type { Log } from "../../ports/log.ts";
import type { Realtime } from "../../realtime/connection.ts";
import type { Api } from "../../services/api.ts";
import type { ClientAddresses } from "../client-address.ts";
import { CONNECT_PATH, serveConnect } from "./connect.ts";
import { http2ServerOf, putGate, type StreamHandler } from "./gate.ts";
import { INTERNAL_BYTES } from "./messages.ts";
import { addReflection } from "./reflection.ts";
import { type ServiceProofs, ServiceTrust } from "./service-trust.ts";
import { definitionOf, implementationOf, pathOf } from "./unary.ts";

export interface GrpcOptions {
  readonly api: Api;
  /** Left out where there are no streams. */
  readonly realtime: Realtime | undefined;
  readonly addresses: ClientAddresses;
  /** How other services prove who they are. */
  readonly proofs: ServiceProofs;
  /** Whether clients may call, or other services alone. */
  readonly forClients: boolean;
  /** Largest message that is read. */
  readonly maxBytes: number;
  /** How long a unary request may take to arrive, in milliseconds. */
  readonly requestMs: number;
  readonly log: Log;
}

/** A gRPC server without a port: it is given connections. */
export interface GrpcServer {
  inject(socket: Socket): void;
  /** Says NOT_SERVING to those who watch its health, and GOAWAY to every client; calls and streams under way go on. */
  drain(): void;
  /** Ends every connection at once. */
  close(): void;
}

const helpers = ["grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"].map(
  (name) => `/${name}/ServerReflectionInfo`,
);
const healthMethods = ["Check", "Watch", "List"].map((name) => `/grpc.health.v1.Health/${name}`);
const healthNames = ["", ...services.map((service) => service.typeName)];

// Whoever drains decides when it is over, by closing.
const LONGEST_DRAIN_MS = 3_600_000;

export function createGrpc(options: GrpcOptions): GrpcServer {
  const server = new Server({
    "grpc.max_receive_message_length": Math.max(options.maxBytes, INTERNAL_BYTES),
    "grpc.max_concurrent_streams": 256,
    "grpc.keepalive_time_ms": 30_000,
    "grpc.keepalive_timeout_ms": 10_000,
    "grpc.max_connection_idle_ms": 300_000,
    "grpc.enable_channelz": 0,
  });
  for (const service of [...services, ...internalServices]) {
    const definition = definitionOf(service);
    if (Object.keys(definition).length > 0) server.addService(definition, implementationOf(service, options));
  }
  const health = new HealthImplementation(Object.fromEntries(healthNames.map((name) => [name, "SERVING"])));
  health.addToServer(server);
  addReflection(server);
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const http2: Http2Server = http2ServerOf(server);
  // As for HTTP/1.1; names and values count, and 32 bytes for each header (RFC 9113, section 6.5.2).
  http2.updateSettings({ maxHeaderListSize: 16 * 1024 });
  const paths = new Map<string, StreamHandler | undefined>();
  const internal = new Map(internalServices.flatMap(({ methods }) => methods.map((method) => [pathOf(method), INTERNAL_BYTES])));
  const unary = new Set([...unaryMethods.map(pathOf), ...internal.keys()]);
  for (const path of [...unary, ...helpers, ...healthMethods]) paths.set(path, undefined);
  const { realtime } = options;
  if (realtime) paths.set(CONNECT_PATH, (stream, headers) => serveConnect(stream, headers, { ...options, realtime }));
  const servicesOnly = new Set(options.forClients ? internal.keys() : [...unary, ...helpers, CONNECT_PATH]);
  putGate(http2, { ...options, trust: new ServiceTrust(options.proofs), servicesOnly, paths, unary, internal });
  return {
    inject(socket) {
      // Node takes HTTP/2 over TLS only when the handshake has agreed on it; here the first bytes may have told it instead.
      if (socket instanceof TLSSocket) socket.alpnProtocol = "h2";
      injector.injectConnection(socket);
    },
    drain() {
      for (const name of healthNames) health.setStatus(name, "NOT_SERVING");
      injector.drain(LONGEST_DRAIN_MS);
    },
    close() {
      injector.destroy();
      server.forceShutdown();
    },
  };
}
