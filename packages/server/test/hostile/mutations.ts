// Valid input, and ways to spoil it a little: what is almost right reaches deepest.
import { create, type DescField, type DescMessage, type DescMethod, type Message, toBinary, toJsonString } from "@bufbuild/protobuf";
import { ClientFrameSchema, toHttp, unaryMethods } from "@parlor/contract";
import type { Random } from "../support/random.ts";

/** Things that exist, for requests that get far. */
export interface Known {
  readonly ids: readonly string[];
  readonly token: string;
  /** Whose token it is. */
  readonly username: string;
}

const texts = [
  "",
  " ",
  "a",
  "hello",
  "\0",
  "a\0b",
  "\ud800",
  "\u202e",
  "\u200b",
  "\ufeff",
  "\u{1f468}\u200d\u{1f469}\u200d\u{1f467}",
  "e\u0301".repeat(40),
  "' OR 1=1--",
  "%00",
  "..",
  "../..",
  "{}",
  "[]",
  "null",
  "__proto__",
  "constructor",
  "NaN",
  "1e99",
  "-0",
  "x".repeat(73),
  "y".repeat(8001),
  "javascript:alert(1)",
  "http://x",
  "2026-01-01T00:00:00Z",
  "9999-12-31T23:59:59.9999Z",
  "ADMIN",
  "$1",
  "\\",
  '"',
  "\n",
  "&|!<->():*'",
] as const;
const plain = ["hello", "a", "\u{1f44d}", ""] as const;
const numbers = [0, 1, 2, 7, 50, 200, 201, 501, 65_535, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1] as const;
const jsonValues = [
  "null",
  "true",
  "0",
  "-1",
  "1e999",
  "4294967296",
  "9007199254740993",
  "1.5",
  `""`,
  `"x"`,
  "[]",
  "{}",
  "[[]]",
  `{"a":{}}`,
  `"\\ud800"`,
  `"\\u0000"`,
  "[null]",
] as const;

/** Methods that would end what the others need: sessions, accounts, the room. */
const kept: ReadonlySet<string> = new Set([
  "SignUp",
  "LogIn",
  "LogOut",
  "RefreshTokens",
  "ChangePassword",
  "RevokeSession",
  "CreateApiToken",
  "DeleteRoom",
  "ArchiveRoom",
  "LeaveRoom",
]);
const methods = unaryMethods.filter(({ name }) => !kept.has(name));

export class Mutations {
  readonly #random: Random;
  readonly #known: Known;

  constructor(random: Random, known: Known) {
    this.#random = random;
    this.#known = known;
  }

  method(): DescMethod {
    return this.#random.pick(methods);
  }

  /** A message with a value of its type in most fields, most of them plausible. */
  message(schema: DescMessage, depth = 0): Message {
    const values: Record<string, unknown> = {};
    for (const member of schema.members) {
      if (this.#random.below(10) === 0) continue;
      if (member.kind === "field") values[member.localName] = this.#value(member, depth);
      else {
        const field = this.#random.pick(member.fields);
        values[member.localName] = { case: field.localName, value: this.#value(field, depth) };
      }
    }
    return create(schema, values as never);
  }

  /** A method over HTTP, spoilt in its path or its body. */
  http(): { readonly verb: string; readonly path: string; readonly body: Buffer<ArrayBuffer> | undefined } {
    const method = this.method();
    let call: { verb: string; path: string; body?: string };
    try {
      call = toHttp(method, this.message(method.input));
    } catch {
      call = { verb: this.#random.pick(["GET", "POST", "PUT", "PATCH", "DELETE"]), path: "/rooms/x/messages", body: "{}" };
    }
    const path = this.#random.below(4) === 0 ? this.#spoilPath(call.path) : call.path;
    const body = call.body === undefined ? undefined : this.bytes(Buffer.from(this.#spoilJson(call.body)), 4);
    return { verb: call.verb, path, body: call.verb === "GET" ? undefined : body };
  }

  /** A method's message in protobuf, spoilt. */
  grpc(): { readonly method: DescMethod; readonly bytes: Buffer } {
    const method = this.method();
    return { method, bytes: this.bytes(this.#binary(method.input, this.message(method.input)), 2) };
  }

  frameJson(): Buffer {
    const text = json(ClientFrameSchema, this.message(ClientFrameSchema));
    // Rarely, since what cannot be read at all ends the stream.
    return this.bytes(Buffer.from(this.#random.below(8) > 0 ? text : this.#spoilJson(text)), 30);
  }

  frameBinary(): Buffer {
    return this.bytes(this.#binary(ClientFrameSchema, this.message(ClientFrameSchema)), 20);
  }

  /** Bytes of which, once in `every` times, some are changed, left out, doubled or put in. */
  bytes(good: Buffer<ArrayBuffer>, every: number): Buffer<ArrayBuffer> {
    if (this.#random.below(every) > 0) return good;
    let bytes = good;
    for (let i = this.#random.below(4); i >= 0; i--) bytes = this.#spoilBytes(bytes);
    return bytes;
  }

  #spoilBytes(bytes: Buffer<ArrayBuffer>): Buffer<ArrayBuffer> {
    const at = this.#random.below(bytes.length + 1);
    switch (this.#random.below(6)) {
      case 0:
        return Buffer.concat([bytes.subarray(0, at), Buffer.from([this.#random.below(256)]), bytes.subarray(at)]);
      case 1:
        return bytes.subarray(0, at);
      case 2:
        return Buffer.concat([bytes.subarray(0, at), bytes.subarray(Math.min(bytes.length, at + 1 + this.#random.below(8)))]);
      case 3:
        return Buffer.concat([bytes, bytes.subarray(at)]);
      case 4:
        return Buffer.concat([bytes.subarray(0, at), Buffer.alloc(10, 0xff), bytes.subarray(at)]);
      default: {
        const changed = Buffer.from(bytes);
        if (changed.length > 0) changed[at % changed.length] = (changed[at % changed.length] as number) ^ (1 << this.#random.below(8));
        return changed;
      }
    }
  }

  #spoilPath(path: string): string {
    const parts = path.split("/");
    const at = 1 + this.#random.below(parts.length - 1);
    parts[at] = this.#random.pick([
      "",
      "%00",
      "..%2f",
      "%",
      "%ff",
      "x".repeat(600),
      "me",
      encodeURIComponent("' or 1=1--"),
      "?a=b",
      "?page_size=",
      "%2e%2e",
    ]);
    return parts.join("/");
  }

  /** Another value for a member, another member, or the same twice. */
  #spoilJson(text: string): string {
    const at = text.indexOf(":", this.#random.below(text.length));
    const value = this.#random.pick(jsonValues);
    switch (this.#random.below(8)) {
      case 0:
        return text.replace(/:("[^"]*"|\d+)/, () => `:${value}`);
      case 1:
        return text.replace(
          /\{/,
          () => `{${this.#random.pick([`"x":${value}`, `"__proto__":${value}`, `"seq":${value}`, `"role":"ADMIN"`])},`,
        );
      case 2:
        return at < 0 ? text : `${text.slice(0, at + 1)}${value},${text.slice(at + 1)}`;
      case 3:
        return "[".repeat(this.#random.below(50)) + text;
      default:
        return text;
    }
  }

  #binary(schema: DescMessage, message: Message): Buffer<ArrayBuffer> {
    return Buffer.from(toBinary(schema, message as never));
  }

  #value(field: DescField, depth: number): unknown {
    const many = (item: () => unknown): unknown[] => Array.from({ length: this.#random.pick([0, 1, 1, 2, 3, 120]) }, item);
    switch (field.fieldKind) {
      case "message":
        return this.#nested(field.message, depth);
      case "list":
        return field.listKind === "message" ? many(() => this.#nested(field.message, depth + 1)) : many(() => this.#scalar(field));
      default:
        return this.#scalar(field);
    }
  }

  #nested(schema: DescMessage, depth: number): unknown {
    if (schema.typeName !== "google.protobuf.Timestamp") return depth > 3 ? create(schema) : this.message(schema, depth + 1);
    const seconds = this.#random.pick([0n, -1n, 1n, 1_900_000_000n, 253_402_300_799n, 253_402_300_800n, 2n ** 62n]);
    return create(schema, { seconds, nanos: this.#random.pick([0, 1, 999_999_999, -1, 1_000_000_000]) } as never);
  }

  #scalar(field: DescField): unknown {
    if (field.enum !== undefined) return this.#random.pick([0, 1, 2, 3, 4, 99_999, -1]);
    // protobuf: 8 is bool, 9 is string.
    if (field.scalar === 8) return this.#random.below(2) === 0;
    if (field.scalar !== 9) return this.#random.pick(numbers);
    if (field.name === "token") return this.#random.pick([this.#known.token, "", "x"]);
    const isId = field.name.endsWith("_id") || field.name.endsWith("_ids");
    if (isId && this.#random.below(8) > 0) return this.#random.pick(this.#known.ids);
    return this.#random.below(2) > 0 ? this.#random.pick(plain) : this.#random.pick(texts);
  }
}

/** JSON text of a message, whether or not protobuf's own writer takes it. */
function json(schema: DescMessage, message: Message): string {
  try {
    return toJsonString(schema, message as never);
  } catch {
    return `{"id": 1, "send": {"text": "\\ud800"}}`;
  }
}
