import { type DescField, type DescMethod, getOption, hasOption, ScalarType } from "@bufbuild/protobuf";
import { http } from "./gen/google/api/annotations_pb.js";
import type { HttpRule as GoogleHttpRule } from "./gen/google/api/http_pb.js";
import { type Access, Access_Scope, Access_Who, access } from "./gen/parlor/options/v1/options_pb.js";

export type HttpVerb = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

/** How a method is called over HTTP. */
export interface HttpRule {
  readonly verb: HttpVerb;
  /** Below the base path, with a name in braces for each field: `/rooms/{room_id}/messages`. */
  readonly path: string;
  /** The fields in the path, in its order. */
  readonly pathFields: readonly DescField[];
  /** The fields that may be in the query; none when there is a body. */
  readonly queryFields: readonly DescField[];
  /** Whether the other fields are a JSON object in the body. */
  readonly hasBody: boolean;
}

const verbs = { get: "GET", post: "POST", put: "PUT", patch: "PATCH", delete: "DELETE" } as const;
const rules = new WeakMap<DescMethod, HttpRule>();

/**
 * Who may call a method.
 * @throws Error when the contract does not say: such a method must not be served
 */
export function accessOf(method: DescMethod): Access {
  const declared = hasOption(method, access) ? getOption(method, access) : undefined;
  if (declared === undefined || declared.who === Access_Who.WHO_UNSPECIFIED || declared.scope === Access_Scope.SCOPE_UNSPECIFIED) {
    throw new Error(`${nameOf(method)} does not declare who may call it`);
  }
  return declared;
}

/**
 * How a method is called over HTTP; undefined when it is not.
 * @throws Error when the contract declares a mapping that is not among those which Parlor uses
 */
export function httpRuleOf(method: DescMethod): HttpRule | undefined {
  if (!hasOption(method, http)) return undefined;
  const known = rules.get(method);
  if (known !== undefined) return known;
  const rule = readRule(method, getOption(method, http));
  rules.set(method, rule);
  return rule;
}

function readRule(method: DescMethod, { pattern, body, additionalBindings }: GoogleHttpRule): HttpRule {
  if (pattern.case === undefined || pattern.case === "custom" || !["", "*"].includes(body) || additionalBindings.length > 0) {
    throw new Error(`${nameOf(method)} has an HTTP mapping that is not supported`);
  }
  const pathFields = [...pattern.value.matchAll(/\{(\w+)\}/g)].map(([, name]) => pathField(method, name as string));
  const others = method.input.fields.filter((field) => !pathFields.includes(field));
  const hasBody = body === "*";
  const unfit = hasBody ? undefined : others.find((field) => !fitsQuery(field));
  if (unfit !== undefined) throw new Error(`${nameOf(method)}: ${unfit.name} cannot be in a query`);
  return { verb: verbs[pattern.case], path: pattern.value, pathFields, queryFields: hasBody ? [] : others, hasBody };
}

function pathField(method: DescMethod, name: string): DescField {
  const field = method.input.fields.find((candidate) => candidate.name === name);
  const fits = field?.fieldKind === "scalar" && field.scalar === ScalarType.STRING && field.oneof === undefined;
  if (!fits) throw new Error(`${nameOf(method)}: ${name} cannot be in a path`);
  return field;
}

const fitsQuery = (field: DescField): boolean => field.message === undefined && field.oneof === undefined && field.fieldKind !== "map";

const nameOf = (method: DescMethod): string => `${method.parent.typeName}.${method.name}`;
