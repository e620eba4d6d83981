import { type DescField, type DescMessage, type JsonObject, type JsonValue, ScalarType } from "@bufbuild/protobuf";
import { rulesOf } from "@parlor/contract";
import { FieldRules_Format as Format } from "@parlor/contract/gen/parlor/options/v1/options_pb.js";

const TIMESTAMP = "google.protobuf.Timestamp";

/** Ids as the server makes them, one for each kind of thing. */
const ids: Readonly<Record<string, string>> = {
  room: "0199a5c4-7d10-7c3e-9f43-1a2b3c4d5e01",
  user: "0199a5c4-7d10-7c3e-9f43-1a2b3c4d5e02",
  message: "0199a5c4-7d10-7c3e-9f43-1a2b3c4d5e03",
  session: "0199a5c4-7d10-7c3e-9f43-1a2b3c4d5e04",
  token: "0199a5c4-7d10-7c3e-9f43-1a2b3c4d5e05",
};
const OTHER_ID = "0199a5c4-7d10-7c3e-9f43-1a2b3c4d5e09";

/** Values of fields, by `Message.field` or by the field's name alone. */
const values: Readonly<Record<string, JsonValue>> = {
  "ApiToken.id": ids["token"] as string,
  "Message.id": ids["message"] as string,
  "Room.id": ids["room"] as string,
  "Session.id": ids["session"] as string,
  "User.id": ids["user"] as string,
  "ApiToken.name": "Weather bot",
  "CreateApiTokenRequest.name": "Weather bot",
  "CreateApiTokenResponse.token": "plr_Zt0kX3hUqv8n2yWc5bRj7mEa",
  "Error.message": "text must be at most 8000 characters",
  "Event.seq": 42,
  "Violation.description": "must be at most 8000 characters",
  "Violation.field": "text",
  access_token: "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiIuLi4ifQ.c2lnbmF0dXJl",
  address: "203.0.113.7",
  avatar_url: "https://example.org/ada.png",
  bio: "Writes programs for machines yet to be built.",
  client_message_id: "a6c1e6f0-0001",
  connection_id: "c-7f3a",
  count: 1,
  created_by: ids["user"] as string,
  current_password: "correct horse battery staple",
  device_name: "Ada's laptop",
  display_name: "Ada Lovelace",
  emoji: "👍",
  heartbeat_ms: 25_000,
  member_count: 2,
  name: "Engine room",
  new_password: "an even better passphrase",
  next_page_token: "",
  page_size: 50,
  page_token: "",
  password: "correct horse battery staple",
  query: "engine",
  reason: "Spam",
  refresh_token: "prt_9fQmB1xYw4kTz7sLd2hVn6cR",
  request_id: "req-5d2f",
  seq: 42,
  slow_mode_seconds: 0,
  text: "Hello, everyone!",
  token: "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiIuLi4ifQ.c2lnbmF0dXJl",
  topic: "All about the engine",
  username: "ada",
};

/** What an example leaves out because it is mostly not there. */
const mostlyAbsent = new Set(["archived_at", "deleted_at", "edited_at", "gap", "muted_until", "retry_after_ms", "until", "goodbye"]);

const enums: Readonly<Record<string, string>> = { "Error.Code": "INVALID_ARGUMENT", "Error.Reason": "INVALID_FIELDS", "User.Role": "USER" };

/** A JSON object that fits a message; of a oneof it has the first member. */
export function exampleOf(message: DescMessage, fields: readonly DescField[] = message.fields): JsonObject {
  const shown = fields.filter((field) => !mostlyAbsent.has(field.name) && (field.oneof === undefined || field.oneof.fields[0] === field));
  return Object.fromEntries(shown.map((field) => [field.jsonName, exampleValue(field)]));
}

function exampleValue(field: DescField): JsonValue {
  const known = values[`${field.parent.name}.${field.name}`] ?? values[field.name];
  const value = known !== undefined && fits(field, known) ? known : madeUp(field);
  return field.fieldKind === "list" ? [value] : value;
}

const fits = (field: DescField, value: JsonValue): boolean =>
  field.scalar === ScalarType.STRING ? typeof value === "string" : field.scalar === ScalarType.UINT32 && typeof value === "number";

function madeUp(field: DescField): JsonValue {
  if (field.message?.typeName === TIMESTAMP) return field.name === "expires_at" ? "2027-01-31T12:00:00Z" : "2026-01-31T12:00:00Z";
  if (field.message !== undefined) return exampleOf(field.message);
  if (field.enum !== undefined) return enums[field.enum.typeName.replace("parlor.v1.", "")] ?? (field.enum.values[1]?.name as string);
  if (field.scalar === ScalarType.BOOL) return false;
  if (field.scalar === ScalarType.UINT32) return 42;
  const [, kind = ""] = /^(\w+)_ids?$/.exec(field.name) ?? [];
  return ids[kind] ?? (rulesOf(field)?.format === Format.UUID || kind !== "" ? OTHER_ID : "...");
}
