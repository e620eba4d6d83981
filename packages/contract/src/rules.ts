import { type DescEnum, type DescField, type DescMessage, type DescOneof, getOption, hasOption, type Message } from "@bufbuild/protobuf";
import { type Timestamp, timestampMs } from "@bufbuild/protobuf/wkt";
import type { Violation } from "./error.ts";
import { formats } from "./formats.ts";
import {
  type FieldRules,
  FieldRules_Format as Format,
  required as oneofRequired,
  rules as rulesOption,
} from "./gen/parlor/options/v1/options_pb.js";
import { largerThan, longerThan, shorterThan } from "./text.ts";

/** Adds the violations of one value; `path` names it and is only built further when something is wrong or nested. */
type Check = (value: unknown, path: string, out: Violation[]) => void;
/** Adds the violations of one member of a message. */
type MemberCheck = (message: Record<string, unknown>, path: string, out: Violation[]) => void;

/** The last millisecond of the year 9999. Times are kept in milliseconds, and must not be rounded into the year after it. */
const MAX_TIME_MS = 253_402_300_799_999;
const none: readonly Violation[] = [];
const plans = new WeakMap<DescMessage, MemberCheck[]>();

/**
 * Every way in which a decoded message, with all that is nested in it, breaks the rules of the contract; empty when it keeps
 * them. Fields are named as in the contract, after `path`: `text`, `resume[2].seq`.
 *
 * The checks of a message type are put together on its first use and kept. Items of a list beyond its greatest number are
 * not looked at, so that the answer stays as small as the contract means the request to be.
 */
export function violationsOf(schema: DescMessage, message: Message, path = ""): readonly Violation[] {
  const out: Violation[] = [];
  run(planOf(schema), message, path, out);
  return out.length === 0 ? none : out;
}

/** The rules that the contract declares for a field. */
export function rulesOf(field: DescField): FieldRules | undefined {
  return hasOption(field, rulesOption) ? getOption(field, rulesOption) : undefined;
}

/** Whether the contract demands that one member of a oneof is set. */
export function isRequired(oneof: DescOneof): boolean {
  return getOption(oneof, oneofRequired);
}

function run(plan: readonly MemberCheck[], message: unknown, path: string, out: Violation[]): void {
  for (let i = 0; i < plan.length; i++) (plan[i] as MemberCheck)(message as Record<string, unknown>, path, out);
}

function planOf(schema: DescMessage): MemberCheck[] {
  const known = plans.get(schema);
  if (known !== undefined) return known;
  const plan: MemberCheck[] = [];
  plans.set(schema, plan); // before its members, which may hold the same type again
  if (schema.typeName === "google.protobuf.Timestamp") plan.push(checkTimestamp);
  else for (const member of schema.members) plan.push(member.kind === "oneof" ? oneofCheck(member) : fieldCheck(member));
  return plan;
}

const join = (path: string, name: string): string => (path === "" ? name : `${path}.${name}`);

function oneofCheck(oneof: DescOneof): MemberCheck {
  const required = isRequired(oneof);
  const names = oneof.fields.map((field) => field.name).join(", ");
  const checks = new Map(oneof.fields.map((field) => [field.localName, { name: field.name, check: valueCheck(field) }]));
  return (message, path, out) => {
    const { case: which, value } = message[oneof.localName] as { case: string | undefined; value: unknown };
    const member = which === undefined ? undefined : checks.get(which);
    if (member !== undefined) member.check(value, join(path, member.name), out);
    else if (required) out.push({ field: join(path, oneof.name), description: `must be one of ${names}` });
  };
}

function fieldCheck(field: DescField): MemberCheck {
  const { name, localName } = field;
  const rules = rulesOf(field);
  const required = rules?.required ?? false;
  const check = valueCheck(field);
  // A string, number or enum without presence says "left out" by its empty value, to which only `required` and the least
  // sizes apply.
  return (message, path, out) => {
    const value = message[localName];
    if (required && isEmpty(value)) out.push({ field: join(path, name), description: "must be given and not be empty" });
    else if (value !== undefined) check(value, path === "" ? name : `${path}.${name}`, out);
  };
}

function isEmpty(value: unknown): boolean {
  if (typeof value === "object") return Array.isArray(value) && value.length === 0;
  return value === undefined || value === "" || value === 0 || value === 0n || value === false;
}

function valueCheck(field: DescField): Check {
  const rules = rulesOf(field);
  switch (field.fieldKind) {
    case "message":
      return messageCheck(field.message);
    case "enum":
      return enumCheck(field.enum);
    case "scalar":
      return scalarCheck(rules);
    case "list":
      return listCheck(field, rules);
    case "map":
      throw new Error(`${field.parent.typeName}.${field.name}: the contract has no maps`);
  }
}

function messageCheck(schema: DescMessage): Check {
  const plan = planOf(schema);
  return (value, path, out) => run(plan, value, path, out);
}

function enumCheck(desc: DescEnum): Check {
  const numbers = new Set<unknown>(desc.values.map((value) => value.number));
  const names = desc.values.filter((value) => value.number !== 0).map((value) => value.name);
  return (value, path, out) => {
    if (!numbers.has(value)) out.push({ field: path, description: `must be one of ${names.join(", ")}` });
  };
}

function scalarCheck(rules: FieldRules | undefined): Check {
  const text = textCheck(rules);
  const gte = rules?.gte === undefined ? undefined : Number(rules.gte);
  const lte = rules?.lte === undefined ? undefined : Number(rules.lte);
  return (value, path, out) => {
    if (typeof value === "string") return text(value, path, out);
    const number = value as number | bigint;
    if (gte !== undefined && number < gte) out.push({ field: path, description: `must be at least ${gte}` });
    if (lte !== undefined && number > lte) out.push({ field: path, description: `must be at most ${lte}` });
  };
}

function textCheck(rules: FieldRules | undefined): (text: string, path: string, out: Violation[]) => void {
  const { minLen, maxLen, maxBytes, format } = { minLen: 0, maxLen: 0, maxBytes: 0, format: Format.FORMAT_UNSPECIFIED, ...rules };
  const shape = format === Format.FORMAT_UNSPECIFIED ? undefined : formats[format];
  return (text, path, out) => {
    if (!text.isWellFormed()) return void out.push({ field: path, description: "must be well-formed Unicode" });
    if (text.includes("\0")) out.push({ field: path, description: "must not contain a NUL character" });
    if (minLen > 0 && shorterThan(text, minLen)) out.push({ field: path, description: `must be at least ${characters(minLen)}` });
    if (maxLen > 0 && longerThan(text, maxLen)) out.push({ field: path, description: `must be at most ${characters(maxLen)}` });
    if (maxBytes > 0 && largerThan(text, maxBytes)) out.push({ field: path, description: `must be at most ${maxBytes} bytes of UTF-8` });
    if (shape !== undefined && text !== "" && !shape.accepts(text)) out.push({ field: path, description: shape.description });
  };
}

const characters = (count: number): string => (count === 1 ? "1 character" : `${count} characters`);
const items = (count: number): string => (count === 1 ? "1 item" : `${count} items`);

function listCheck(field: DescField & { fieldKind: "list" }, rules: FieldRules | undefined): Check {
  const { minItems, maxItems, unique } = { minItems: 0, maxItems: 0, unique: false, ...rules };
  const item = itemCheck(field, rules);
  return (value, path, out) => {
    const list = value as readonly unknown[];
    if (list.length < minItems) out.push({ field: path, description: `must have at least ${items(minItems)}` });
    if (maxItems > 0 && list.length > maxItems) return void out.push({ field: path, description: `must have at most ${items(maxItems)}` });
    for (let i = 0; i < list.length; i++) item(list[i], `${path}[${i}]`, out);
    if (unique) checkUnique(list, path, out);
  };
}

function itemCheck(field: DescField & { fieldKind: "list" }, rules: FieldRules | undefined): Check {
  if (field.listKind === "message") return messageCheck(field.message);
  if (field.listKind === "enum") return refusingEmpty(enumCheck(field.enum));
  return rules !== undefined && rules.format !== Format.FORMAT_UNSPECIFIED ? refusingEmpty(scalarCheck(rules)) : scalarCheck(rules);
}

/** An item cannot be left out, so an empty one is none of the values that are asked for. */
function refusingEmpty(check: Check): Check {
  return (value, path, out) => {
    if (isEmpty(value)) out.push({ field: path, description: "must not be empty" });
    else check(value, path, out);
  };
}

function checkUnique(list: readonly unknown[], path: string, out: Violation[]): void {
  const seen = new Set<unknown>();
  list.forEach((value, i) => {
    if (seen.has(value)) out.push({ field: `${path}[${i}]`, description: "must not be given twice" });
    seen.add(value);
  });
}

const checkTimestamp: MemberCheck = (message, path, out) => {
  const time = message as unknown as Timestamp;
  const { seconds, nanos } = time;
  if (seconds < 0 || timestampMs(time) > MAX_TIME_MS) out.push({ field: path, description: "must be a time of the years 1970 to 9999" });
  if (nanos < 0 || nanos > 999_999_999) out.push({ field: path, description: "must have 0 to 999999999 nanoseconds" });
};
