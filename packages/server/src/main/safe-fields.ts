// What the log may show: no secret, no control character, nothing without bound.

const hidden = "[hidden]";
const secretName = /token|secret|passw|authorization|cookie|credential|jwk|private_?key|api_?key|passphrase/i;
/** Names that only speak about a secret: `tokenId`, `expires_at`. */
const aboutSecret = /(Id|At|Ms|Count|Kind|_id|_at|_ms|_count|_kind)$/;

const secretsInText: readonly (readonly [RegExp, string])[] = [
  [/\b(Bearer|Basic)\s+[^\s"',;]+/gi, `$1 ${hidden}`],
  // A JWT: header, claims and signature in base64url.
  [/\beyJ[\w-]{8,}(\.[\w-]*){1,2}/g, hidden],
  [/(\w:\/\/[^:@/\s]*):[^@/\s]+@/g, `$1:${hidden}@`],
  [/([?&](?:\w*token|password|secret|key)=)[^&\s"]+/gi, `$1${hidden}`],
];

const maxText = 8192;
const maxItems = 100;
const maxDepth = 8;

/** Characters that move a terminal's cursor, break lines or turn the direction of text. */
const unsafe = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;
const unsafeInStack = /[^\P{Cc}\n]|[\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;

function escaped(character: string): string {
  if (character === "\n") return "\\n";
  return `\\u${(character.codePointAt(0) as number).toString(16).padStart(4, "0")}`;
}

function bounded(text: string): string {
  return text.length > maxText ? `${text.slice(0, maxText)}... (${text.length} characters)` : text;
}

function withoutSecrets(text: string): string {
  return secretsInText.reduce((rest, [pattern, replacement]) => rest.replace(pattern, replacement), text);
}

/** A text on one line, without secrets that can be told by their form. */
export function safeText(text: string): string {
  return withoutSecrets(bounded(text)).replace(unsafe, escaped);
}

function safeError(error: Error, depth: number): object {
  // The message is a part of the stack: it must not bring lines of its own.
  const stack = (error.stack ?? "").replace(error.message, () => safeText(error.message));
  return {
    type: error.name,
    message: safeText(error.message),
    stack: withoutSecrets(bounded(stack)).replace(unsafeInStack, escaped),
    ...(error.cause === undefined ? {} : { cause: safeValue(error.cause, depth + 1) }),
    ...safeEntries(
      Object.entries(error).filter(([key]) => key !== "cause"),
      depth,
    ),
  };
}

function safeEntries(entries: readonly (readonly [string, unknown])[], depth: number): object {
  const safe = entries.slice(0, maxItems).map(([key, value]): [string, unknown] => {
    const isSecret = secretName.test(key) && !aboutSecret.test(key);
    return [safeText(key), isSecret && value !== undefined && value !== null ? hidden : safeValue(value, depth + 1)];
  });
  return Object.fromEntries(safe);
}

function safeObject(value: object, depth: number): unknown {
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? "Invalid Date" : value.toISOString();
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (depth >= maxDepth) return "[deeper]";
  if (value instanceof Error) return safeError(value, depth);
  if (Array.isArray(value)) return value.slice(0, maxItems).map((item) => safeValue(item, depth + 1));
  if (value instanceof Set) return safeValue([...value], depth);
  if (value instanceof Map)
    return safeEntries(
      [...value].map(([key, item]) => [String(key), item]),
      depth,
    );
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== null && prototype !== Object.prototype) return `[${value.constructor.name}]`;
  return safeEntries(Object.entries(value), depth);
}

function safeValue(value: unknown, depth: number): unknown {
  if (typeof value === "string") return safeText(value);
  if (typeof value === "bigint") return String(value);
  return typeof value === "object" && value !== null ? safeObject(value, depth) : value;
}

/** The fields of a log line as they may be written: no secret at any depth, no unsafe character, bounded. */
export function safeFields(fields: object): Record<string, unknown> {
  return safeEntries(Object.entries(fields), 0) as Record<string, unknown>;
}
