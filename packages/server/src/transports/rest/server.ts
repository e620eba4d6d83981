import type { Server } from "node:http";
import { type FastifyInstance, fastify } from "fastify";
import type { Log } from "../../ports/log.ts";
import type { Api } from "../../services/api.ts";
import type { ClientAddresses } from "../client-address.ts";
import type { AllowedOrigins } from "../origins.ts";
import { requestIdOf } from "../request-id.ts";
import { collectMethods } from "./allowed-methods.ts";
import { addBodyParser } from "./bodies.ts";
import { addBrowserRules } from "./cors.ts";
import { addMethods } from "./methods.ts";
import { addOperations, type Operations } from "./operations.ts";
import { addPages, type Documents } from "./pages.ts";
import { addRefusals, refuse } from "./refusals.ts";

export interface RestOptions {
  readonly api: Api;
  readonly addresses: ClientAddresses;
  readonly origins: AllowedOrigins;
  readonly operations: Operations;
  readonly documents: Documents;
  /** Whether the methods and the documents are served, or only what operators ask. */
  readonly forClients: boolean;
  /** Largest body that is read. */
  readonly maxBytes: number;
  readonly log: Log;
}

/** Serves REST, the documents and what operators ask on an HTTP server. */
export async function serveRest(http: Server, options: RestOptions): Promise<FastifyInstance> {
  const { api, addresses, maxBytes, log } = options;
  const app = fastify({
    serverFactory: (handler) => http.on("request", handler),
    genReqId: (request) => requestIdOf(request.headers["x-request-id"]),
    requestIdHeader: false,
    bodyLimit: maxBytes,
    logger: false,
    return503OnClosing: false,
    frameworkErrors: (error, request, reply) => void refuse(reply, request, error, log),
    routerOptions: { maxParamLength: 512, querystringParser: (query) => query as never },
  });
  const methodsOf = collectMethods(app);
  addBodyParser(app);
  addRefusals(app, methodsOf, log);
  await addBrowserRules(app, options.origins);
  addOperations(app, options.operations, log);
  if (options.forClients) {
    addMethods(app, { api, addresses, maxBytes });
    await addPages(app, options.documents);
  }
  await app.ready();
  return app;
}
