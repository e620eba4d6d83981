import type { DescField, DescMessage, DescMethod, DescService } from "@bufbuild/protobuf";
import { Access_Limit, Access_Scope, Access_Who, accessOf, type HttpRule, httpRuleOf, rulesOf } from "@parlor/contract";
import { type Contract, commentOf, shortName } from "./contract.ts";
import { describeMethod, serviceName, title } from "./describe.ts";
import { exampleOf } from "./examples.ts";
import { allRefusals, type Refusal, refusalsOf } from "./refusals.ts";
import { fieldSchema, messageSchema, reachable, type Schema, schemasOf } from "./schemas.ts";

const DESCRIPTION = `Rooms, messages and people of a Parlor server, over plain HTTP. The same methods are served by gRPC under the names that each
operation states; what happens in rooms is told live by the stream at \`/api/v1/realtime\` (see asyncapi.json).

Requests and answers are JSON: names in lowerCamelCase, times as RFC 3339 in UTC, ids as UUIDs. Fields that the contract
does not know are refused in requests; answers may get more fields with time. Every refusal has the same body, \`Error\`.`;

/** Answers that several operations give, by their names among the components. */
type SharedAnswers = Record<string, Schema>;

interface Call {
  readonly method: DescMethod;
  readonly rule: HttpRule;
}

/** The OpenAPI 3.1 document of every method that is served over HTTP. */
export function openapi(contract: Contract, version: string): Schema {
  const calls = contract.services.flatMap((service) => service.methods.flatMap(callsOf));
  const responses: SharedAnswers = {};
  const operations = paths(calls, allRefusals(contract), responses);
  return {
    openapi: "3.1.0",
    info: {
      title: "Parlor",
      version,
      description: DESCRIPTION.replace(/(?<!\n)\n(?!\n)/g, " "),
      license: { name: "MIT", identifier: "MIT" },
    },
    servers: [{ url: "/api/v1", description: "This server" }],
    security: [{ bearerAuth: [] }],
    tags: contract.services.filter((service) => calls.some(({ method }) => method.parent === service)).map(tag),
    paths: operations,
    components: { securitySchemes: { bearerAuth }, headers, responses, schemas: schemas(contract, calls) },
  };
}

const bearerAuth = {
  type: "http",
  scheme: "bearer",
  bearerFormat: "JWT",
  description: "An access token of SignUp, LogIn or RefreshTokens, or an API token of CreateApiToken.",
};

const headers = {
  RequestId: { description: "The id of the request, which the server's log has too.", schema: { type: "string", maxLength: 64 } },
  RetryAfter: { description: "Seconds to wait before the next try.", schema: { type: "integer", minimum: 0 } },
};

const tag = (service: DescService): Schema => ({ name: service.name.replace(/Service$/, ""), description: commentOf(service) });

function callsOf(method: DescMethod): Call[] {
  const rule = httpRuleOf(method);
  return rule === undefined ? [] : [{ method, rule }];
}

function paths(calls: readonly Call[], refusals: readonly Refusal[], shared: SharedAnswers): Record<string, Record<string, Schema>> {
  const result: Record<string, Record<string, Schema>> = {};
  for (const call of calls) {
    const { path, verb } = call.rule;
    result[path] = { ...result[path], [verb.toLowerCase()]: operation(call, refusals, shared) };
  }
  return result;
}

function operation({ method, rule }: Call, refusals: readonly Refusal[], shared: SharedAnswers): Schema {
  const { who, scope, limit, idempotent } = accessOf(method);
  const parameters = [
    ...rule.pathFields.map((field) => parameter(field, "path")),
    ...rule.queryFields.map((field) => parameter(field, "query")),
  ];
  const bodyFields = bodyFieldsOf({ method, rule });
  return {
    operationId: `${serviceName(method)}_${method.name}`,
    tags: [serviceName(method)],
    summary: title(method),
    description: `${describeMethod(method)}\n\ngRPC: \`${method.parent.typeName}/${method.name}\``,
    "x-min-role": Access_Who[who],
    "x-scope": Access_Scope[scope],
    "x-rate-limit": limit === Access_Limit.LIMIT_UNSPECIFIED ? "GENERAL" : Access_Limit[limit],
    "x-idempotent": idempotent,
    ...(who === Access_Who.ANYONE ? { security: [] } : {}),
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(bodyFields.length > 0 ? { requestBody: requestBody(method, bodyFields) } : {}),
    responses: { 200: answer(method), ...refusedAnswers(refusalsOf(method, refusals), shared) },
  };
}

/** The fields of a body; without any, no body need be sent. */
function bodyFieldsOf({ method, rule }: Call): readonly DescField[] {
  return rule.hasBody ? method.input.fields.filter((field) => !rule.pathFields.includes(field)) : [];
}

function parameter(field: DescField, place: "path" | "query"): Schema {
  const { description, ...schema } = fieldSchema(field);
  const required = place === "path" || (rulesOf(field)?.required ?? false);
  return { name: field.name, in: place, description, ...(required ? { required } : {}), schema };
}

function requestBody(method: DescMethod, fields: readonly DescField[]): Schema {
  const content = { "application/json": { schema: reference(method.input), example: exampleOf(method.input, fields) } };
  return { required: fields.some((field) => rulesOf(field)?.required), content };
}

function answer(method: DescMethod): Schema {
  return {
    description: "Done.",
    headers: { "X-Request-Id": { $ref: "#/components/headers/RequestId" } },
    content: { "application/json": { schema: reference(method.output), example: exampleOf(method.output) } },
  };
}

/** One answer for each status; those with the same reasons are shared. */
function refusedAnswers(refusals: readonly Refusal[], shared: SharedAnswers): Record<number, Schema> {
  const statuses = [...new Set(refusals.map(({ status }) => status))].sort((a, b) => a - b);
  return Object.fromEntries(
    statuses.map((status) => {
      const reasons = refusals.filter((refusal) => refusal.status === status);
      const name = reasons.map(({ reason }) => reason).join("-");
      shared[name] ??= refusedAnswer(status, reasons);
      return [status, { $ref: `#/components/responses/${name}` }];
    }),
  );
}

function refusedAnswer(status: number, refusals: readonly Refusal[]): Schema {
  const retryAfter = status === 429 || status === 503 ? { "Retry-After": { $ref: "#/components/headers/RetryAfter" } } : {};
  return {
    description: refusals.map(({ reason, comment }) => `- \`${reason}\`: ${comment}`).join("\n"),
    headers: { "X-Request-Id": { $ref: "#/components/headers/RequestId" }, ...retryAfter },
    content: { "application/json": { schema: { $ref: "#/components/schemas/Error" } } },
  };
}

const reference = (message: DescMessage): Schema => ({ $ref: `#/components/schemas/${shortName(message)}` });

function schemas(contract: Contract, calls: readonly Call[]): Record<string, Schema> {
  const withBody = calls.filter((call) => bodyFieldsOf(call).length > 0);
  const error = contract.messages.filter(({ typeName }) => typeName === "parlor.v1.Error");
  const roots = [...calls.map(({ method }) => method.output), ...error, ...withBody.map(({ method }) => method.input)];
  const inputs = new Set([...reachable(withBody.map(({ method }) => method.input))].filter((desc) => desc.kind === "message"));
  const all = schemasOf(roots, inputs);
  // A field of the path is not repeated in the body.
  for (const call of withBody) all[shortName(call.method.input)] = messageSchema(call.method.input, "request", bodyFieldsOf(call));
  return all;
}
