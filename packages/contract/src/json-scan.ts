import type { JsonValue } from "@bufbuild/protobuf";

/** Nesting that no message of the contract comes near. */
export const MAX_JSON_DEPTH = 32;

const QUOTE = 0x22;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/**
 * The number of members in all objects of a JSON text (one colon each), and how deep it is nested. Linear, and safe on text
 * that is not JSON; reading stops beyond the depth that is accepted.
 *
 * A parser keeps the last of two members of the same name. That some were lost shows when the text has more members than
 * the parsed value, which costs less than to remember the names.
 */
export function scanJson(text: string): { readonly members: number; readonly depth: number } {
  let members = 0;
  let open = 0;
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit === QUOTE) i = endOfString(text, i);
    else if (unit === COLON) members++;
    else if (unit === OPEN_BRACE || unit === OPEN_BRACKET) {
      if (++open > depth && ++depth > MAX_JSON_DEPTH) break;
    } else if (unit === CLOSE_BRACE || unit === CLOSE_BRACKET) open--;
  }
  return { members, depth };
}

/** The index of the quote that closes the string opened at `start`, or the end of the text. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let first = end;
    while (text.charCodeAt(first - 1) === BACKSLASH) first--;
    if ((end - first) % 2 === 0) return end;
  }
  return text.length;
}

/** The number of members in all objects of a parsed value. */
export function countMembers(value: JsonValue): number {
  if (typeof value !== "object" || value === null) return 0;
  let count = 0;
  if (Array.isArray(value)) {
    for (const item of value) count += countMembers(item);
  } else {
    for (const name of Object.keys(value)) count += 1 + countMembers(value[name] as JsonValue);
  }
  return count;
}
