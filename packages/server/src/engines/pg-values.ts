// How values travel in PostgreSQL's protocol: the rules of ports/database.ts for both engines.
import pg, { type CustomTypesConfig } from "pg";

const INT8 = 20;
const INT8_ARRAY = 1016;
const BYTEA = 17;
const TIMESTAMPTZ = 1184;
const INT4_ARRAY = 1007;

/** The driver's declarations know only the types that are no arrays. */
const defaultParser = pg.types.getTypeParser as (oid: number, format?: "text" | "binary") => (text: string) => unknown;
const defaultTimestamp = pg.types.getTypeParser(TIMESTAMPTZ);
const defaultBytes = pg.types.getTypeParser(BYTEA);

/** The sessions run in UTC, so nearly every value ends in +00 and is ISO 8601 but for the space. */
function timestamp(text: string): Date {
  if (!text.endsWith("+00")) return defaultTimestamp(text);
  return new Date(`${text.slice(0, 10)}T${text.slice(11, -3)}Z`);
}

/** Copied, since small Buffers share one allocation that each of them would keep alive. */
function bytes(text: string): Uint8Array {
  return new Uint8Array(text.startsWith("\\x") ? Buffer.from(text.slice(2), "hex") : defaultBytes(text));
}

const parsers = new Map<number, (text: string) => unknown>([
  [INT8, Number],
  // The driver's parser of int4[] makes numbers, that of int8[] strings.
  [INT8_ARRAY, defaultParser(INT4_ARRAY)],
  [BYTEA, bytes],
  [TIMESTAMPTZ, timestamp],
]);

/** What a column of each type becomes. */
export const columnTypes: CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: "text" | "binary") =>
    parsers.get(oid) ?? defaultParser(oid, format)) as CustomTypesConfig["getTypeParser"],
};

/**
 * A parameter as the driver sends it: text, or bytes in binary. Objects that are none of SqlValue go as JSON.
 * @throws TypeError for text with U+0000, which PostgreSQL cannot store, and for dates that are none.
 */
export function encodeParameter(value: unknown): string | Buffer | null {
  if (value === null || value === undefined) return null;
  if (typeof value === "string") return storable(value);
  if (typeof value !== "object") return String(value);
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  if (value instanceof Date) return isoDate(value);
  return Array.isArray(value) ? arrayLiteral(value) : JSON.stringify(value);
}

function storable(text: string): string {
  if (text.includes("\0")) throw new TypeError("text must not contain the character U+0000");
  return text;
}

function isoDate(date: Date): string {
  if (Number.isNaN(date.getTime())) throw new TypeError("a date must be a valid date");
  return date.toISOString();
}

function arrayLiteral(values: readonly unknown[]): string {
  return `{${values.map(element).join(",")}}`;
}

function element(value: unknown): string {
  if (Array.isArray(value)) return arrayLiteral(value);
  const encoded = encodeParameter(value);
  if (encoded === null) return "NULL";
  if (typeof encoded !== "string") return `"\\\\x${encoded.toString("hex")}"`;
  return typeof value === "string" || typeof value === "object" ? quoted(encoded) : encoded;
}

const special = /["\\]/g;

function quoted(text: string): string {
  return `"${text.replace(special, "\\$&")}"`;
}
