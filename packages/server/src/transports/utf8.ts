import { malformed } from "./errors.ts";

// A byte order mark is kept, and is then no JSON (RFC 8259, section 8.1).
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** @throws ParlorError MALFORMED when the bytes are not UTF-8 */
export function textOf(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw malformed("The text is not valid UTF-8.", cause);
  }
}
