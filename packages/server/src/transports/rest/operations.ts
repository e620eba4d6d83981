import type { FastifyInstance, FastifyRequest } from "fastify";
import type { Log } from "../../ports/log.ts";
import { isLoopback, plainAddress } from "../client-address.ts";
import { noSuchMethod } from "../errors.ts";
import { refuse } from "./refusals.ts";

/** What those who run the server ask it. */
export interface Operations {
  /** Whether calls can be answered now: the database answers, and the server is not going down. */
  ready(): Promise<boolean>;
  /** Which of the services in other processes can be reached; left out where there are none. */
  reachable?(): Promise<Readonly<Record<string, boolean>>>;
  /** Whether this node hears of the others at once; undefined, or left out, where nothing can come between them. */
  busConnected?(): boolean | undefined;
  /** The public keys that verify access tokens, as a JWK Set. */
  jwks(): object | Promise<object>;
  metrics(): Promise<{ readonly contentType: string; readonly text: string }>;
  /** Who may read the metrics; `local` is whoever connects from this machine, and not through a proxy. */
  readonly metricsFor: "local" | "all" | "off";
}

export function addOperations(app: FastifyInstance, operations: Operations, log: Log): void {
  const uncached = { "cache-control": "no-store" };
  app.get("/healthz", (_request, reply) => reply.headers(uncached).send({ status: "ok" }));
  app.get("/readyz", async (_request, reply) => {
    const [ready, services] = await Promise.all([operations.ready(), operations.reachable?.()]);
    const connected = operations.busConnected?.();
    const bus = connected === undefined ? {} : { bus: connected ? "connected" : "degraded" };
    return reply
      .headers(uncached)
      .code(ready ? 200 : 503)
      .send({ status: ready ? "ready" : "not ready", ...(services && { services }), ...bus });
  });
  app.get("/.well-known/jwks.json", async (_request, reply) =>
    reply.header("cache-control", "public, max-age=300").send(await operations.jwks()),
  );
  app.get("/metrics", async (request, reply) => {
    if (!mayReadMetrics(request, operations)) return refuse(reply, request, noSuchMethod("There is nothing at this path."), log);
    const { contentType, text } = await operations.metrics();
    return reply.headers(uncached).type(contentType).send(text);
  });
}

function mayReadMetrics({ socket, headers }: FastifyRequest, { metricsFor }: Operations): boolean {
  const proxied = headers["x-forwarded-for"] !== undefined || headers["forwarded"] !== undefined || headers["via"] !== undefined;
  return metricsFor === "all" || (metricsFor === "local" && isLoopback(plainAddress(socket.remoteAddress)) && !proxied);
}
