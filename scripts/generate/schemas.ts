import { type DescEnum, type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { formats, isRequired, MAX_EMOJI_BYTES, MAX_PASSWORD_BYTES, MIN_PASSWORD_LENGTH, rulesOf } from "@parlor/contract";
import { type FieldRules, FieldRules_Format as Format } from "@parlor/contract/gen/parlor/options/v1/options_pb.js";
import { shortName } from "./contract.ts";
import { describeEnum, describeField, describeMessage } from "./describe.ts";

export type Schema = Readonly<Record<string, unknown>>;

const IMPLICIT_PRESENCE = 2;
const MAX_UINT32 = 4_294_967_295;
const TIMESTAMP = "google.protobuf.Timestamp";

/** The JSON Schemas of some messages and of all that they hold, by their names in the contract, sorted. */
export function schemasOf(roots: Iterable<DescMessage>, inputs: ReadonlySet<DescMessage>): Record<string, Schema> {
  const found = reachable(roots);
  const schemas = [...found].map((desc): [string, Schema] => [
    shortName(desc),
    desc.kind === "enum" ? enumSchema(desc) : messageSchema(desc, inputs.has(desc) ? "request" : "response"),
  ]);
  return Object.fromEntries(schemas.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Some messages, with every message and enum that they hold. */
export function reachable(roots: Iterable<DescMessage>): Set<DescMessage | DescEnum> {
  const found = new Set<DescMessage | DescEnum>();
  const visit = (desc: DescMessage | DescEnum | undefined): void => {
    if (desc === undefined || desc.typeName === TIMESTAMP || found.has(desc)) return;
    found.add(desc);
    if (desc.kind === "message") for (const field of desc.fields) visit(field.message ?? field.enum);
  };
  for (const root of roots) visit(root);
  return found;
}

/**
 * The schema of a message. What a server answers has every field that has no presence of its own, and may get more fields
 * with time; what a client sends must have the required ones, and may have no unknown ones.
 */
export function messageSchema(message: DescMessage, side: "request" | "response", fields: readonly DescField[] = message.fields): Schema {
  const required = fields.filter((field) => rulesOf(field)?.required || (side === "response" && isAlwaysThere(field)));
  return {
    type: "object",
    description: describeMessage(message),
    properties: Object.fromEntries(fields.map((field) => [field.jsonName, fieldSchema(field)])),
    ...(required.length === 0 ? {} : { required: required.map(({ jsonName }) => jsonName) }),
    ...(side === "request" ? { additionalProperties: false } : {}),
    ...oneofSchema(message, side),
  };
}

const isAlwaysThere = (field: DescField): boolean =>
  field.oneof === undefined && (field.fieldKind === "list" || field.presence === IMPLICIT_PRESENCE);

/** That one of some fields must be there; the first that is declared so. */
function oneofSchema(message: DescMessage, side: "request" | "response"): Schema {
  const oneof = message.oneofs.find(isRequired);
  return oneof === undefined || side === "response" ? {} : { oneOf: oneof.fields.map(({ jsonName }) => ({ required: [jsonName] })) };
}

/** The schema of a field with its description and limits. */
export function fieldSchema(field: DescField): Schema {
  const rules = rulesOf(field);
  const description = describeField(field);
  if (field.fieldKind !== "list") return { ...valueSchema(field, rules), description };
  return {
    type: "array",
    description,
    items: valueSchema(field, rules),
    ...(rules !== undefined && rules.minItems > 0 ? { minItems: rules.minItems } : {}),
    ...(rules !== undefined && rules.maxItems > 0 ? { maxItems: rules.maxItems } : {}),
    ...(rules?.unique ? { uniqueItems: true } : {}),
  };
}

function valueSchema(field: DescField, rules: FieldRules | undefined): Schema {
  const type = field.message ?? field.enum;
  if (type?.typeName === TIMESTAMP) return { type: "string", format: "date-time" };
  if (type !== undefined) return { $ref: `#/components/schemas/${shortName(type)}` };
  switch (field.scalar) {
    case ScalarType.STRING:
      return textSchema(rules);
    case ScalarType.BOOL:
      return { type: "boolean" };
    case ScalarType.UINT32:
      return { type: "integer", minimum: Number(rules?.gte ?? 0), maximum: Number(rules?.lte ?? MAX_UINT32) };
    default:
      throw new Error(`${field}: no JSON Schema for this type`);
  }
}

function textSchema(rules: FieldRules | undefined): Schema {
  if (rules === undefined) return { type: "string" };
  const format = formatSchema(rules);
  const minLength = Math.max(rules.minLen, rules.required && format["pattern"] === undefined ? 1 : 0);
  return {
    type: "string",
    ...(minLength > 0 ? { minLength } : {}),
    ...(rules.maxLen > 0 ? { maxLength: rules.maxLen } : {}),
    ...(rules.maxLen === 0 && rules.maxBytes > 0 ? { maxLength: rules.maxBytes } : {}),
    ...format,
  };
}

function formatSchema({ format, required }: FieldRules): Schema {
  switch (format) {
    case Format.UUID:
      return { format: "uuid", pattern: formats[format].pattern };
    case Format.USERNAME:
      return { pattern: formats[format].pattern };
    case Format.EMOJI:
      return { maxLength: MAX_EMOJI_BYTES };
    case Format.PASSWORD:
      return { format: "password", minLength: MIN_PASSWORD_LENGTH, maxLength: MAX_PASSWORD_BYTES };
    case Format.URL:
      return required ? { format: "uri", pattern: formats[format].pattern } : { pattern: `^$|${formats[format].pattern}` };
    default:
      return {};
  }
}

function enumSchema(desc: DescEnum): Schema {
  return { type: "string", description: describeEnum(desc), enum: desc.values.map(({ name }) => name) };
}
