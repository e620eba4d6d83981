import { type DescField, type DescMessage, fromJson, type JsonObject, type JsonValue, ScalarType } from "@bufbuild/protobuf";
import type { Violation } from "./error.ts";

const MAX_SHOWN_NAME = 64;

/**
 * Every field of a parsed JSON object that is unknown, is given twice under its two names, or has a value of another type.
 * A value is wrong exactly when protobuf's own reader refuses it; this walk only finds where, and says what was expected.
 */
export function jsonFaults(schema: DescMessage, object: JsonObject): readonly Violation[] {
  const out: Violation[] = [];
  walk(schema, object, "", out);
  return out;
}

/** The name of something that the contract does not know, fit to be shown. */
export function shownName(name: string): string {
  const cut = name.length > MAX_SHOWN_NAME ? `${name.slice(0, MAX_SHOWN_NAME)}...` : name;
  return cut.toWellFormed().replace(/[\p{Cc}\p{Cf}]/gu, "\ufffd");
}

function walk(schema: DescMessage, object: JsonObject, path: string, out: Violation[]): void {
  const seen = new Set<string>();
  for (const [key, value] of Object.entries(object)) {
    const field = schema.fields.find(({ name, jsonName }) => name === key || jsonName === key);
    const at = (path === "" ? "" : `${path}.`) + (field?.name ?? shownName(key));
    if (field === undefined) out.push({ field: at, description: "must be left out: there is no such field" });
    else if (claim(field, seen)) checkField(field, value, at, out);
    else
      out.push({
        field: at,
        description: field.oneof === undefined ? "must be given only once" : `must be left out: only one ${field.oneof.name} may be given`,
      });
  }
}

/** Whether neither the field nor another member of its oneof was there before. */
function claim(field: DescField, seen: Set<string>): boolean {
  const slot = field.oneof === undefined ? `field ${field.name}` : `oneof ${field.oneof.name}`;
  if (seen.has(slot)) return false;
  seen.add(slot);
  return true;
}

function checkField(field: DescField, value: JsonValue, path: string, out: Violation[]): void {
  if (value === null) return; // stands for a field that is left out
  if (field.fieldKind !== "list") checkValue(field, value, value, path, out);
  else if (!Array.isArray(value)) out.push({ field: path, description: "must be an array" });
  else for (const [i, item] of value.entries()) checkValue(field, item, [item], `${path}[${i}]`, out);
}

/** Checks a value or item; `whole` is what the field would be if this were all of it. */
function checkValue(field: DescField, value: JsonValue, whole: JsonValue, path: string, out: Violation[]): void {
  const nested = plainMessage(field);
  if (nested !== undefined && typeof value === "object" && value !== null && !Array.isArray(value)) walk(nested, value, path, out);
  else if (!readable(field, whole))
    out.push({ field: path, description: isBrokenText(value) ? "must be well-formed Unicode" : expected(field) });
}

const isBrokenText = (value: JsonValue): boolean => typeof value === "string" && !value.isWellFormed();

/** The type of a message that is written as a JSON object with its fields. */
function plainMessage(field: DescField): DescMessage | undefined {
  const isMessage = field.fieldKind === "message" || (field.fieldKind === "list" && field.listKind === "message");
  return isMessage && !field.message.typeName.startsWith("google.protobuf.") ? field.message : undefined;
}

function readable(field: DescField, value: JsonValue): boolean {
  try {
    fromJson(field.parent, { [field.jsonName]: value });
    return true;
  } catch {
    return false;
  }
}

/** What a field takes, as a sentence without a subject. */
export function expected(field: DescField): string {
  if (field.enum !== undefined) {
    const names = field.enum.values.filter(({ number }) => number !== 0).map(({ name }) => name);
    return `must be one of ${names.join(", ")}`;
  }
  if (field.message !== undefined) {
    return field.message.typeName === "google.protobuf.Timestamp" ? 'must be a time such as "2026-01-31T12:00:00Z"' : "must be an object";
  }
  return expectedScalar(field.scalar);
}

function expectedScalar(type: ScalarType | undefined): string {
  switch (type) {
    case ScalarType.STRING:
      return "must be a string";
    case ScalarType.BOOL:
      return "must be true or false";
    case ScalarType.UINT32:
      return "must be a whole number from 0 to 4294967295";
    case ScalarType.BYTES:
      return "must be a string in base64";
    default:
      return "must be a number";
  }
}
