import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type DescMessage, type MessageInitShape } from "@bufbuild/protobuf";
import {
  AddReactionRequestSchema,
  BanUserRequestSchema,
  ClientFrameSchema,
  CreateApiTokenRequestSchema,
  CreateRoomRequestSchema,
  GetPresenceRequestSchema,
  ListRoomsRequestSchema,
  LogInRequestSchema,
  SendMessageRequestSchema,
  SetPresenceRequestSchema,
  SetRoleRequestSchema,
  SignUpRequestSchema,
  UpdateProfileRequestSchema,
  UpdateRoomRequestSchema,
  violationsOf,
} from "@parlor/contract";

const id = "0199a5c4-7d10-7c3e-9f43-1a2b3c4d5e01";
const other = "0199a5c4-7d10-7c3e-9f43-1a2b3c4d5e02";
const zwj = "\u200d";

function fieldsOf<S extends DescMessage>(schema: S, init: MessageInitShape<S>): string[] {
  return violationsOf(schema, create(schema, init)).map(({ field }) => field);
}

/** Values of one field, with all others good, that keep the rules and that break them. */
function table<S extends DescMessage, V>(
  name: string,
  schema: S,
  field: string,
  make: (value: V) => MessageInitShape<S>,
  good: readonly V[],
  bad: readonly V[],
): void {
  test(name, () => {
    for (const value of good) assert.deepEqual(fieldsOf(schema, make(value)), [], `good: ${shown(value)}`);
    for (const value of bad) assert.deepEqual([...new Set(fieldsOf(schema, make(value)))], [field], `bad: ${shown(value)}`);
  });
}

const shown = (value: unknown): string => JSON.stringify(value, (_, part) => (typeof part === "bigint" ? `${part}n` : part)).slice(0, 80);

const message = (part: object) => ({ roomId: id, text: "hello", ...part });
const profile = (part: object) => part;

table(
  "a UUID",
  SendMessageRequestSchema,
  "room_id",
  (roomId: string) => message({ roomId }),
  [id, "00000000-0000-0000-0000-000000000000"],
  [
    "",
    "x",
    id.toUpperCase(),
    `{${id}}`,
    id.replaceAll("-", ""),
    `${id} `,
    `${id}\n`,
    `${id.slice(0, -1)}g`,
    "' OR 1=1--",
    "..%2f",
    "a".repeat(8192),
    `${id.slice(0, -1)}\0`,
  ],
);

table(
  "visible text",
  SendMessageRequestSchema,
  "text",
  (text: string) => message({ text }),
  [
    "a",
    " a ",
    "' OR 1=1--",
    "<script>",
    "日本",
    "👍",
    "a".repeat(8000),
    "👍".repeat(8000),
    `👨${zwj}👩${zwj}👧`,
    "\u202eabc",
    "a\nb",
    `a${zwj.repeat(7000)}`,
  ],
  [
    "",
    " ",
    "\n\t",
    "\u200b\u200b",
    zwj,
    "\ufeff",
    "\u00a0\u3000",
    "\u2060\u200e",
    "\u115f\u3164",
    "\u2800",
    "\ufe0f",
    "\u0007",
    "a".repeat(8001),
    "👍".repeat(8001),
    "a\0b",
    "a\ud800b",
    "\udc00",
  ],
);

table(
  "a user name",
  SignUpRequestSchema,
  "username",
  (username: string) => ({ username, password: "long enough" }),
  ["ada", "Ada.Lovelace", "0_-", "a".repeat(32)],
  ["", "ab", "a".repeat(33), ".ada", "_ada", "-ada", "ada lovelace", "ädä", "ada\n", "adа", "a\u200bda", "ada@x"],
);

table(
  "a password",
  SignUpRequestSchema,
  "password",
  (password: string) => ({ username: "ada", password }),
  ["12345678", "x".repeat(72), "ż".repeat(36), "👍".repeat(18), "        "],
  ["", "1234567", "x".repeat(73), "ż".repeat(37), "👍".repeat(7), "12345678\0", "1234567\ud83d"],
);

table(
  "most bytes",
  LogInRequestSchema,
  "password",
  (password: string) => ({ username: "ada", password }),
  ["x", "x".repeat(72), "👍".repeat(18)],
  ["", "x".repeat(73), "👍".repeat(19), "ż".repeat(37)],
);

table(
  "an emoji",
  AddReactionRequestSchema,
  "emoji",
  (emoji: string) => ({ roomId: id, messageId: id, emoji }),
  ["👍", "👍🏽", "❤", "❤️", "🇩🇪", "1️⃣", `👨${zwj}👩${zwj}👧${zwj}👦`, "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "🏳️‍🌈", "©️"],
  [
    "",
    "a",
    "1",
    "👍👍",
    "👍 ",
    "👍a",
    "🇩",
    zwj,
    "\ufe0f",
    "👍\u0301\u0301\u0301",
    "👍".repeat(2560),
    `👍${zwj}`.repeat(7),
    `👨${zwj}`.repeat(30),
    "👍\0",
    "\ud83d",
    "🇩🇪🇫🇷",
    "e\u0301",
  ],
);

table(
  "a URL",
  UpdateProfileRequestSchema,
  "avatar_url",
  (avatarUrl: string) => profile({ avatarUrl }),
  ["", "https://example.org", "http://[::1]:80/a?b#c", "HTTPS://EXAMPLE.ORG/ä"],
  [
    "example.org",
    "//example.org",
    "javascript:alert(1)",
    "ftp://example.org",
    "https://",
    "https:example.org",
    "http:\\\\a",
    " https://example.org",
    "https://example.org/a b",
    "https://a\n.b",
    "https://a:99999",
    `https://${"a".repeat(500)}.org`,
    "data:text/html,x",
  ],
);

table(
  "a visible name",
  UpdateProfileRequestSchema,
  "display_name",
  (displayName: string) => profile({ displayName }),
  ["A", "Ada Lovelace", "日本", "👩‍🚀", "e\u0301", "x\u0301\u0302\u0303\u0304", "אבא", "a".repeat(64), "👍".repeat(64)],
  [
    "",
    " ",
    "\u200b",
    "a\nb",
    "a\tb",
    "a\u2028b",
    "\u202eevil",
    "a\u2066b",
    `x${"\u0301".repeat(5)}`,
    `x${"\u0301".repeat(256)}`,
    "a".repeat(65),
    "👍".repeat(65),
    "a\0",
  ],
);

table(
  "a number",
  CreateRoomRequestSchema,
  "slow_mode_seconds",
  (slowModeSeconds: number) => ({ name: "Room", slowModeSeconds }),
  [0, 1, 21_600],
  [21_601, 4_294_967_295],
);
table("a page size", ListRoomsRequestSchema, "page_size", (pageSize: number) => ({ pageSize }), [0, 50, 200], [201, 1_000_000_000]);
table("a required enum", SetRoleRequestSchema, "role", (role: number) => ({ userId: id, role }), [1, 4], [0, 5, 99_999, -1]);
table("an enum", UpdateRoomRequestSchema, "visibility", (visibility: number) => ({ roomId: id, visibility }), [0, 1, 2, 3], [4, 99_999]);
table(
  "a nested enum",
  CreateRoomRequestSchema,
  "permissions.post",
  (post: number) => ({ name: "Room", permissions: { post } }),
  [0, 2],
  [99_999],
);

const year = (text: string): bigint => BigInt(Date.parse(text) / 1000);
table(
  "the seconds of a time",
  BanUserRequestSchema,
  "until",
  (seconds: bigint) => ({ roomId: id, userId: id, until: { seconds } }),
  [0n, year("2026-01-31T12:00:00Z"), year("9999-12-31T23:59:59Z")],
  [-1n, year("9999-12-31T23:59:59Z") + 1n, 2n ** 63n - 1n, -(2n ** 63n)],
);
table(
  "the nanoseconds of a time",
  BanUserRequestSchema,
  "until",
  (nanos: number) => ({ roomId: id, userId: id, until: { nanos } }),
  [0, 999_999_999],
  [-1, 1_000_000_000, 2_147_483_647],
);

table(
  "a list",
  GetPresenceRequestSchema,
  "user_ids",
  (userIds: string[]) => ({ userIds }),
  [[id], [id, other]],
  [[], Array.from({ length: 101 }, () => id)],
);

test("items are named by their places", () => {
  assert.deepEqual(fieldsOf(GetPresenceRequestSchema, { userIds: [id, "", "x", id] }), ["user_ids[1]", "user_ids[2]", "user_ids[3]"]);
  assert.deepEqual(fieldsOf(CreateApiTokenRequestSchema, { name: "bot", scopes: [1, 1, 0, 77 as number] }), [
    "scopes[2]",
    "scopes[3]",
    "scopes[1]",
  ]);
});

test("every violation is told, nested ones by their paths, after a given beginning", () => {
  const frame = create(ClientFrameSchema, {
    kind: { case: "hello", value: { token: "t".repeat(4097), resume: [{ roomId: id }, { roomId: "x" }, {}] } },
  });
  const paths = ["hello.token", "hello.resume[1].room_id", "hello.resume[2].room_id"];
  assert.deepEqual(
    violationsOf(ClientFrameSchema, frame).map(({ field }) => field),
    paths,
  );
  assert.deepEqual(
    violationsOf(ClientFrameSchema, frame, "frames[3]").map(({ field }) => field),
    paths.map((path) => `frames[3].${path}`),
  );
  assert.deepEqual(fieldsOf(SendMessageRequestSchema, { clientMessageId: "k".repeat(65) }), ["room_id", "text", "client_message_id"]);
});

test("a oneof that is required must be set", () => {
  assert.deepEqual(violationsOf(ClientFrameSchema, create(ClientFrameSchema)), [
    { field: "kind", description: "must be one of hello, send, mark_read, typing, set_presence, ping" },
  ]);
  assert.deepEqual(fieldsOf(ClientFrameSchema, { kind: { case: "ping", value: {} } }), []);
});

test("fields with presence are checked only when they are there", () => {
  assert.deepEqual(fieldsOf(UpdateProfileRequestSchema, {}), []);
  assert.deepEqual(fieldsOf(UpdateRoomRequestSchema, { roomId: id }), []);
  assert.deepEqual(fieldsOf(SetPresenceRequestSchema, {}), ["status"]);
});

test("64 KiB of joiners, marks or emoji is answered at once", () => {
  const hostile = [zwj, "\u0301", `👍${zwj.repeat(7)}`, "👍", "\ud83d", "\u200b"].map((part) => part.repeat(65_536 / part.length));
  const begun = performance.now();
  for (const text of hostile) {
    for (let i = 0; i < 10; i++) {
      assert.ok(fieldsOf(SendMessageRequestSchema, message({ text })).length > 0);
      assert.ok(fieldsOf(UpdateProfileRequestSchema, { displayName: text, avatarUrl: text }).length > 0);
      assert.ok(fieldsOf(AddReactionRequestSchema, { roomId: id, messageId: id, emoji: text }).length > 0);
      assert.ok(fieldsOf(SignUpRequestSchema, { username: text, password: text }).length > 0);
    }
  }
  assert.ok(performance.now() - begun < 2000);
});
