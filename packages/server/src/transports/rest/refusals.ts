import { ErrorSchema, encodeJson, ParlorError } from "@parlor/contract";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Log } from "../../ports/log.ts";
import { httpStatusOf, malformed, noSuchMethod, refusalOf, tooLarge } from "../errors.ts";
import { headerFault } from "../http-server.ts";
import { unsupportedMediaType } from "./bodies.ts";

/** Turns whatever is thrown, by Fastify or below it, and requests for what is not there, into the contract's errors. */
export function addRefusals(app: FastifyInstance, methodsOf: (path: string) => readonly string[], log: Log): void {
  app.addHook("onRequest", async (request, reply) => {
    reply.header("x-request-id", request.id);
    const fault = headerFault(request.raw);
    if (fault !== undefined) return refuse(reply.header("connection", "close"), request, fault.error, log, fault.status);
  });
  app.setErrorHandler((thrown, request, reply) => refuse(reply, request, thrown, log));
  app.setNotFoundHandler((request, reply) => {
    const methods = methodsOf(request.url.split("?", 1)[0] as string);
    if (methods.length === 0 || methods.includes(request.method))
      return refuse(reply, request, noSuchMethod("There is nothing at this path."), log);
    return refuse(reply.header("allow", methods.join(", ")), request, noSuchMethod("This path does not take this method."), log, 405);
  });
}

/** Answers a refusal, with the status of its code unless another is given. */
export function refuse(reply: FastifyReply, request: FastifyRequest, thrown: unknown, log: Log, status?: number): FastifyReply {
  const error = refusalOf(fromFastify(thrown, request) ?? thrown, request.id, log);
  const code = status ?? httpStatusOf(error);
  if (error.retryAfterMs !== undefined) reply.header("retry-after", Math.max(1, Math.ceil(error.retryAfterMs / 1000)));
  if (code === 401) reply.header("www-authenticate", "Bearer");
  // A body that was not read would have to be taken in, however long it is, to find the next request behind it.
  if (request.body === undefined && announcesBody(request)) reply.header("connection", "close");
  return reply
    .code(code)
    .type("application/json; charset=utf-8")
    .header("cache-control", "no-store")
    .header("x-request-id", request.id)
    .send(encodeJson(ErrorSchema, error.toWire(request.id)));
}

function announcesBody({ headers }: FastifyRequest): boolean {
  return headers["transfer-encoding"] !== undefined || (headers["content-length"] ?? "0") !== "0";
}

/** The meaning of an error of Fastify's own; undefined when it is something else. */
function fromFastify(thrown: unknown, request: FastifyRequest): ParlorError | undefined {
  if (!(thrown instanceof Error) || thrown instanceof ParlorError) return undefined;
  const { code, statusCode } = thrown as { code?: string; statusCode?: number };
  switch (code) {
    case "FST_ERR_CTP_BODY_TOO_LARGE":
      return tooLarge("body", request.routeOptions.bodyLimit);
    case "FST_ERR_CTP_INVALID_MEDIA_TYPE":
      return unsupportedMediaType();
    case "FST_ERR_BAD_URL":
      return malformed("The path is not percent-encoded UTF-8.");
    case "FST_ERR_CTP_INVALID_CONTENT_LENGTH":
      return malformed("The body is not as long as Content-Length says.");
    default:
      return statusCode !== undefined && statusCode >= 400 && statusCode < 500
        ? malformed("The request cannot be read.", thrown)
        : undefined;
  }
}
