import type { DescMethod, Message } from "@bufbuild/protobuf";
import { Access_Who, accessOf, encodeJson, fromHttp, httpRuleOf, unaryMethods } from "@parlor/contract";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { type Call, type Caller, callerOf } from "../../domain/call.ts";
import type { Api } from "../../services/api.ts";
import { bearerOf } from "../bearer.ts";
import type { ClientAddresses } from "../client-address.ts";
import { traceOf } from "../trace-parent.ts";
import { textOf } from "../utf8.ts";
import { queryPairs } from "./query.ts";

export const BASE_PATH = "/api/v1";

// Nobody who is not signed in has more to say than a user name, a password or a token.
const UNKNOWN_CALLER_BYTES = 16 * 1024;

interface MethodDeps {
  readonly api: Api;
  readonly addresses: ClientAddresses;
  readonly maxBytes: number;
}

const calls = new WeakMap<FastifyRequest, Call>();

/** Serves every method of the contract that has an HTTP mapping. */
export function addMethods(app: FastifyInstance, deps: MethodDeps): void {
  for (const method of unaryMethods) {
    const rule = httpRuleOf(method);
    if (rule === undefined) continue;
    const open = accessOf(method).who === Access_Who.ANYONE;
    app.route({
      method: rule.verb,
      url: BASE_PATH + rule.path.replaceAll(/\{(\w+)\}/g, ":$1"),
      bodyLimit: open ? Math.min(UNKNOWN_CALLER_BYTES, deps.maxBytes) : deps.maxBytes,
      // Before the body is read, so that strangers cannot make the server read much.
      onRequest: (request) => identify(request, deps, open),
      handler: (request, reply) => serve(method, request, reply, deps.api),
    });
  }
}

async function identify(request: FastifyRequest, { api, addresses }: MethodDeps, open: boolean): Promise<void> {
  const { headers } = request;
  const address = addresses.of(request.socket.remoteAddress, headers["x-forwarded-for"] as string | undefined);
  const caller: Caller | undefined = await api.authenticate(bearerOf(headers.authorization), { protocol: "rest", address });
  const call: Call = { requestId: request.id, protocol: "rest", address, ...traceOf(headers), ...(caller === undefined ? {} : { caller }) };
  if (!open) callerOf(call);
  calls.set(request, call);
}

async function serve(method: DescMethod, request: FastifyRequest, reply: FastifyReply, api: Api): Promise<FastifyReply> {
  const message: Message = fromHttp(method, {
    params: request.params as Record<string, string>,
    query: queryPairs(request.query as string),
    body: request.body === undefined ? undefined : textOf(request.body as Buffer),
  });
  const answer = await api.call(method, message, calls.get(request) as Call);
  return reply.type("application/json; charset=utf-8").header("cache-control", "no-store").send(encodeJson(method.output, answer));
}
