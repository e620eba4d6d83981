import { type DescField, type DescMethod, isFieldSet, type JsonObject, type JsonValue, type Message, ScalarType } from "@bufbuild/protobuf";
import { Code, invalidFields, ParlorError, Reason, type Violation } from "./error.ts";
import { decodeJson, decodeJsonValue, encodeJsonValue } from "./json.ts";
import { expected, shownName } from "./json-faults.ts";
import { type HttpRule, type HttpVerb, httpRuleOf } from "./methods.ts";

/** A call as an HTTP request below the base path. */
export interface HttpCall {
  readonly verb: HttpVerb;
  /** Encoded, with the query. */
  readonly path: string;
  /** JSON, for `Content-Type: application/json`. */
  readonly body?: string;
}

/** What a server has read of an HTTP request. */
export interface HttpInput {
  /** The decoded parts of the path by the names in it. */
  readonly params: Readonly<Record<string, string>>;
  /** The decoded query, repeated names and all. */
  readonly query: Iterable<readonly [string, string]>;
  /** The text of the body; undefined or empty when there was none, which stands for an empty object. */
  readonly body: string | undefined;
}

/**
 * The HTTP request that calls a method.
 * @throws ParlorError INVALID_FIELDS when a field of the path is empty or would be taken for a step in the path
 */
export function toHttp(method: DescMethod, request: Message): HttpCall {
  const { verb, path, pathFields, queryFields, hasBody } = ruleOf(method);
  const rest = encodeJsonValue(method.input, request);
  const encoded = pathFields.reduce((filled, field) => {
    delete rest[field.jsonName];
    return filled.replace(`{${field.name}}`, () => encodePart(request, field));
  }, path);
  if (hasBody) return { verb, path: encoded, body: JSON.stringify(rest) };
  const query = new URLSearchParams(queryFields.flatMap((field) => (isFieldSet(request, field) ? queryPairs(field, rest) : [])));
  return { verb, path: query.size === 0 ? encoded : `${encoded}?${query}` };
}

function encodePart(request: Message, field: DescField): string {
  const value = partOf(request, field);
  if (value === "" || value === "." || value === ".." || !value.isWellFormed()) {
    throw invalidFields({ field: field.name, description: "must be given and be fit for a path" });
  }
  return encodeURIComponent(value);
}

function queryPairs(field: DescField, values: JsonObject): [string, string][] {
  return [values[field.jsonName] as JsonValue].flat().map((value) => [field.name, String(value)]);
}

/**
 * The request message that an HTTP request carries. The rules of the contract are not checked here: see `violationsOf`.
 * @throws ParlorError INVALID_ARGUMENT: MALFORMED or INVALID_FIELDS, as of `decodeJson`
 */
export function fromHttp(method: DescMethod, { params, query, body }: HttpInput): Message {
  const rule = ruleOf(method);
  const violations: Violation[] = [];
  const values = readQuery(rule, query, violations);
  const request = rule.hasBody ? readBody(method, body, violations) : readNoBody(method, body, values, violations);
  for (const field of rule.pathFields) setFromPath(request, field, params[field.name] ?? "", violations);
  if (violations.length > 0) throw invalidFields(...violations);
  return request;
}

function readBody(method: DescMethod, body: string | undefined, violations: Violation[]): Message {
  return collecting(violations, method, () => decodeJson(method.input, body === undefined || body === "" ? "{}" : body));
}

function readNoBody(method: DescMethod, body: string | undefined, values: JsonObject, violations: Violation[]): Message {
  if (body !== undefined && body.trim() !== "" && body.trim() !== "{}") {
    throw new ParlorError(Code.INVALID_ARGUMENT, Reason.MALFORMED, "This method takes no body.");
  }
  return collecting(violations, method, () => decodeJsonValue(method.input, values));
}

/** Decodes; wrong fields are added to those found elsewhere in the request, so that one answer names them all. */
function collecting(violations: Violation[], method: DescMethod, decode: () => Message): Message {
  try {
    return decode();
  } catch (error) {
    if (!(error instanceof ParlorError) || error.reason !== Reason.INVALID_FIELDS) throw error;
    violations.push(...error.violations);
    return decodeJsonValue(method.input, {});
  }
}

function readQuery(rule: HttpRule, query: HttpInput["query"], violations: Violation[]): JsonObject {
  const values: JsonObject = {};
  for (const [key, text] of query) {
    const field = rule.queryFields.find(({ name, jsonName }) => name === key || jsonName === key);
    const value = field === undefined ? undefined : fromQuery(field, text);
    if (field === undefined) violations.push({ field: shownName(key), description: "must be left out: the query has no such field" });
    else if (value === undefined) violations.push({ field: field.name, description: expected(field) });
    else if (field.fieldKind === "list") addItem(values, field.jsonName, value);
    else if (Object.hasOwn(values, field.jsonName)) violations.push({ field: field.name, description: "must be given only once" });
    else values[field.jsonName] = value;
  }
  return values;
}

function addItem(values: JsonObject, name: string, item: JsonValue): void {
  const list = values[name];
  if (Array.isArray(list)) list.push(item);
  else values[name] = [item];
}

/** The JSON value that a text of the query stands for; undefined when it stands for none. Names of enums are left to the decoder. */
function fromQuery(field: DescField, text: string): JsonValue | undefined {
  switch (field.scalar) {
    case undefined:
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return text;
    case ScalarType.BOOL:
      return text === "true" || (text === "false" ? false : undefined);
    default:
      return /^-?\d{1,20}$/.test(text) ? text : undefined;
  }
}

function setFromPath(request: Message, field: DescField, part: string, violations: Violation[]): void {
  const given = partOf(request, field);
  if (given !== "" && given !== part)
    violations.push({ field: field.name, description: "must be the same as in the path, or be left out" });
  (request as unknown as Record<string, string>)[field.localName] = part;
}

/** A field of the path: `httpRuleOf` makes sure that it is a string. */
const partOf = (request: Message, field: DescField): string =>
  (request as unknown as Record<string, string | undefined>)[field.localName] ?? "";

function ruleOf(method: DescMethod): HttpRule {
  const rule = httpRuleOf(method);
  if (rule === undefined) throw new Error(`${method.parent.typeName}.${method.name} cannot be called over HTTP`);
  return rule;
}
