import { type DescMessage, fromJson, type JsonObject, type JsonValue, type MessageShape, toJson, toJsonString } from "@bufbuild/protobuf";
import { Code, invalidFields, ParlorError, Reason } from "./error.ts";
import { jsonFaults } from "./json-faults.ts";
import { countMembers, MAX_JSON_DEPTH, scanJson } from "./json-scan.ts";

/**
 * A message from its JSON text (protobuf's JSON mapping; names in lowerCamelCase or as in the contract). The rules of the
 * contract are not checked here: see `violationsOf`.
 * @throws ParlorError INVALID_ARGUMENT: MALFORMED when the text is not one JSON object, names something twice in one object or
 *   is nested deeper than 32; INVALID_FIELDS that names every field which is unknown or of another type
 */
export function decodeJson<S extends DescMessage>(schema: S, text: string): MessageShape<S> {
  return decodeJsonValue(schema, parseObject(text));
}

/** Like `decodeJson`, for a value that has been parsed and whose names are known to differ. */
export function decodeJsonValue<S extends DescMessage>(schema: S, value: JsonValue): MessageShape<S> {
  if (!isObject(value)) throw malformed("The JSON must be an object.");
  try {
    return fromJson(schema, value);
  } catch (cause) {
    // The value is walked again only now, to say everything that is wrong with it and not just the first thing.
    const faults = jsonFaults(schema, value);
    if (faults.length > 0) throw invalidFields(...faults);
    throw new ParlorError(Code.INVALID_ARGUMENT, Reason.MALFORMED, "The JSON does not fit the message.", { cause });
  }
}

/** The JSON text of a message, with the fields that have their empty value, so that readers find every name. */
export function encodeJson<S extends DescMessage>(schema: S, message: MessageShape<S>): string {
  return toJsonString(schema, message, { alwaysEmitImplicit: true });
}

/** The JSON value of a message without the fields that have their empty value: what a client sends. */
export function encodeJsonValue<S extends DescMessage>(schema: S, message: MessageShape<S>): JsonObject {
  return toJson(schema, message) as JsonObject;
}

function parseObject(text: string): JsonObject {
  const { members, depth } = scanJson(text);
  if (depth > MAX_JSON_DEPTH) throw malformed(`The JSON is nested deeper than ${MAX_JSON_DEPTH}.`);
  const value = parse(text);
  if (!isObject(value)) throw malformed("The JSON must be an object.");
  if (countMembers(value) !== members) throw malformed("The JSON has a name twice in one object.");
  return value;
}

function parse(text: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    // The parser's own message repeats the input, which may hold a password.
    throw malformed(text.trim() === "" ? "The JSON is empty." : "This is not JSON.");
  }
}

const isObject = (value: JsonValue): value is JsonObject => typeof value === "object" && value !== null && !Array.isArray(value);

function malformed(message: string): ParlorError {
  return new ParlorError(Code.INVALID_ARGUMENT, Reason.MALFORMED, message);
}
