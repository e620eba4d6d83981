// Whether a value that comes from outside, as JSON, is what it should be.

/** Says whether a value is of a kind. */
export type Check<T> = (value: unknown) => value is T;

/** An object whose fields may be looked at. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

/** An id of the server's own making, as it writes them. */
export function isId(value: unknown): value is string {
  return typeof value === "string" && /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/.test(value);
}

/** Words that are no ids, and of no more than so many characters. */
export function isShort(value: unknown): value is string {
  return typeof value === "string" && value.length <= 256;
}

/** A whole number that is not negative. */
export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

export function isListOf<T>(value: unknown, isOne: Check<T>): value is T[] {
  return Array.isArray(value) && value.every(isOne);
}
