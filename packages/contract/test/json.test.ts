import assert from "node:assert/strict";
import { test } from "node:test";
import { create, equals, type JsonValue } from "@bufbuild/protobuf";
import {
  BanUserRequestSchema,
  ClientFrameSchema,
  Code,
  CreateRoomRequestSchema,
  decodeJson,
  decodeJsonValue,
  encodeJson,
  ListMessagesRequestSchema,
  MessageSchema,
  ParlorError,
  Reason,
  SendMessageRequestSchema,
  SetRoleRequestSchema,
  User_Role,
  violationsOf,
} from "@parlor/contract";
import fc from "fast-check";
import { countMembers, scanJson } from "../src/json-scan.ts";

const id = "0199a5c4-7d10-7c3e-9f43-1a2b3c4d5e01";

function refusal(act: () => unknown): ParlorError {
  try {
    act();
  } catch (error) {
    assert.ok(error instanceof ParlorError, String(error));
    assert.equal(error.code, Code.INVALID_ARGUMENT);
    return error;
  }
  assert.fail("was not refused");
}

const wrongFields = (act: () => unknown): string[] => {
  const error = refusal(act);
  assert.equal(error.reason, Reason.INVALID_FIELDS, error.message);
  return error.violations.map(({ field }) => field);
};

const nested = (depth: number): string => `{"x":${"[".repeat(depth - 1)}${"]".repeat(depth - 1)}}`;

const malformed: Record<string, string> = {
  empty: "",
  blank: " \n",
  null: "null",
  "an array": "[]",
  "a string": '"x"',
  "a number": "123",
  "a truth": "true",
  truncated: '{"text":"hel',
  "cut in an escape": '{"text":"\\',
  "two documents": "{}{}",
  "two documents on two lines": "{}\n{}",
  "a byte order mark": "\ufeff{}",
  "UTF-16 read as UTF-8": "{\0}\0",
  "a duplicate": '{"text":"a","text":"b"}',
  "a duplicate by an escape": '{"text":"a","te\\u0078t":"b"}',
  "a nested duplicate": '{"hello":{"resume":[{"seq":1,"seq":2}]}}',
  "a duplicate of what is unknown": '{"__proto__":1,"__proto__":2}',
  "depth 10,000 of arrays": "[".repeat(10_000),
  "depth 10,000 of objects": '{"a":'.repeat(10_000),
  "depth 33": nested(33),
  "10 MB of brackets": "[".repeat(10_000_000),
  "a comment": "{/**/}",
  "a trailing comma": '{"text":"a",}',
  "a bare word": "{text:1}",
  NaN: '{"x":NaN}',
  "a raw control": '{"text":"a\nb"}',
};

for (const [name, text] of Object.entries(malformed)) {
  test(`malformed: ${name}`, () => {
    const error = refusal(() => decodeJson(SendMessageRequestSchema, text));
    assert.equal(error.reason, Reason.MALFORMED);
    assert.ok(error.message.length < 100 && !error.message.includes("hel"), "repeats nothing of the input");
  });
}

test("depth 32 is read", () => {
  assert.deepEqual(
    wrongFields(() => decodeJson(SendMessageRequestSchema, nested(32))),
    ["x"],
  );
});

test("names that look like JSON inside strings are text", () => {
  const text = '{"a":1,"a":2}[[[{{{\\"\\\\';
  const { text: read } = decodeJson(SendMessageRequestSchema, JSON.stringify({ roomId: id, text: text.repeat(40) }));
  assert.equal(read, text.repeat(40));
});

test("every unknown and wrong-typed field is named", () => {
  const json =
    '{"text":5,"roomId":[],"clientMessageId":{},"role":"ADMIN","author_id":"x","__proto__":{"a":1},"constructor":1,"toString":1}';
  assert.deepEqual(wrongFields(() => decodeJson(SendMessageRequestSchema, json)).sort(), [
    "__proto__",
    "author_id",
    "client_message_id",
    "constructor",
    "role",
    "room_id",
    "text",
    "toString",
  ]);
  assert.equal(({} as { a?: number }).a, undefined);
});

test("nested faults are named by their paths", () => {
  const frame = '{"id":-1,"hello":{"token":1,"resume":[{"seq":"x"},{"roomId":5,"seq":4294967296},null,[],{"a":{}}]},"ping":{}}';
  assert.deepEqual(
    wrongFields(() => decodeJson(ClientFrameSchema, frame)),
    [
      "id",
      "hello.token",
      "hello.resume[0].seq",
      "hello.resume[1].room_id",
      "hello.resume[1].seq",
      "hello.resume[2]",
      "hello.resume[3]",
      "hello.resume[4].a",
      "ping",
    ],
  );
});

const numbers: Record<string, boolean> = {
  "0": true,
  "1": true,
  "4294967295": true,
  "2147483648": true,
  '"5"': true,
  "5.0": true,
  "1e2": true,
  null: true,
  "-1": false,
  "4294967296": false,
  "9007199254740992": false,
  "9223372036854775808": false,
  "1.5": false,
  "1e99": false,
  '"x"': false,
  '""': false,
  '" 5"': false,
  true: false,
  "[5]": false,
  "{}": false,
};
test("numbers", () => {
  for (const [value, good] of Object.entries(numbers)) {
    const read = () => decodeJson(ListMessagesRequestSchema, `{"pageSize":${value}}`);
    if (good) assert.ok(read().pageSize >= 0, value);
    else assert.deepEqual(wrongFields(read), ["page_size"], value);
  }
});

test("enums go by their names; an unknown number is left to the rules", () => {
  assert.equal(decodeJson(SetRoleRequestSchema, '{"role":"ADMIN"}').role, User_Role.ADMIN);
  for (const value of ['"KING"', '"admin"', "1.5", "true", "[]", '""'])
    assert.deepEqual(
      wrongFields(() => decodeJson(SetRoleRequestSchema, `{"role":${value}}`)),
      ["role"],
    );
  const odd = decodeJson(SetRoleRequestSchema, `{"userId":"${id}","role":99999}`);
  assert.deepEqual(
    violationsOf(SetRoleRequestSchema, odd).map(({ field }) => field),
    ["role"],
  );
});

test("times", () => {
  assert.equal(
    decodeJson(BanUserRequestSchema, '{"until":"2026-01-31T12:00:00.5+02:00"}').until?.seconds,
    BigInt(Date.parse("2026-01-31T10:00:00Z") / 1000),
  );
  for (const value of [
    '"tomorrow"',
    "1700000000",
    '"2026-01-31"',
    '"10000-01-01T00:00:00Z"',
    "{}",
    "[]",
    "true",
    '"2026-13-01T00:00:00Z"',
    '"2026-01-31T12:00:00"',
  ]) {
    assert.deepEqual(
      wrongFields(() => decodeJson(BanUserRequestSchema, `{"until":${value}}`)),
      ["until"],
      value,
    );
  }
  const early = decodeJson(BanUserRequestSchema, `{"roomId":"${id}","userId":"${id}","until":"1969-12-31T23:59:59Z"}`);
  assert.deepEqual(
    violationsOf(BanUserRequestSchema, early).map(({ field }) => field),
    ["until"],
  );
});

test("both names of a field are read, but not together", () => {
  assert.equal(decodeJson(SendMessageRequestSchema, `{"room_id":"${id}"}`).roomId, id);
  assert.deepEqual(
    wrongFields(() => decodeJson(SendMessageRequestSchema, `{"room_id":"${id}","roomId":"${id}"}`)),
    ["room_id"],
  );
});

test("null leaves a field out, but is no item", () => {
  assert.equal(decodeJson(CreateRoomRequestSchema, '{"name":"a","permissions":null,"memberIds":null}').permissions, undefined);
  assert.deepEqual(
    wrongFields(() => decodeJson(CreateRoomRequestSchema, '{"memberIds":["a",null]}')),
    ["member_ids[1]"],
  );
  assert.deepEqual(
    wrongFields(() => decodeJson(CreateRoomRequestSchema, '{"memberIds":"a"}')),
    ["member_ids"],
  );
});

test("strings that are not well-formed or hold NUL are refused by decoder or rules", () => {
  assert.deepEqual(
    wrongFields(() => decodeJson(SendMessageRequestSchema, '{"text":"\\ud800"}')),
    ["text"],
  );
  const nul = decodeJson(SendMessageRequestSchema, `{"roomId":"${id}","text":"a\\u0000"}`);
  assert.deepEqual(
    violationsOf(SendMessageRequestSchema, nul).map(({ field }) => field),
    ["text"],
  );
});

test("a flood of unknown fields gets a short answer that shows no control characters", () => {
  const json = JSON.stringify(Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`x${i}\u202e${"y".repeat(i)}`, i])));
  const error = refusal(() => decodeJson(SendMessageRequestSchema, json));
  assert.equal(error.violations.length, 101);
  assert.match(error.violations[100]?.description ?? "", /4900 more/);
  assert.ok(error.violations.every(({ field }) => field.length < 80 && !field.includes("\u202e")));
  assert.ok(error.message.length < 2000);
});

test("whatever protobuf's reader refuses is refused with the names of what is wrong", () => {
  const keys = ["id", "hello", "token", "resume", "roomId", "room_id", "seq", "send", "text", "setPresence", "status", "ping", "x"];
  const json = fc.letrec<{ value: JsonValue }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 5 },
      fc.constantFrom<JsonValue[]>(null, true, 0, 1, -1, 1.5, 2 ** 32, "", "1", "ONLINE", id, "\ud800"),
      fc.array(tie("value"), { maxLength: 3 }),
      fc.dictionary(fc.constantFrom(...keys), tie("value"), { maxKeys: 3 }),
    ),
  })).value;
  const schemas = [ClientFrameSchema, SendMessageRequestSchema, BanUserRequestSchema];
  fc.assert(
    fc.property(fc.constantFrom(...schemas), fc.dictionary(fc.constantFrom(...keys), json), (schema, value) => {
      try {
        violationsOf(schema, decodeJsonValue(schema, value));
      } catch (error) {
        assert.ok(error instanceof ParlorError && error.reason === Reason.INVALID_FIELDS && error.violations.length > 0, String(error));
      }
    }),
    { numRuns: 3000 },
  );
});

test("a value that was parsed is read like its text", () => {
  assert.equal(decodeJsonValue(SendMessageRequestSchema, { text: "a" }).text, "a");
  assert.equal(refusal(() => decodeJsonValue(SendMessageRequestSchema, null)).reason, Reason.MALFORMED);
  assert.equal(refusal(() => decodeJsonValue(SendMessageRequestSchema, [])).reason, Reason.MALFORMED);
});

test("what is encoded has every field that cannot be absent, and is read back the same", () => {
  const message = create(MessageSchema, {
    id,
    text: 'quotes " and \u2028 and 👍',
    createdAt: { seconds: 1_790_000_000n, nanos: 5_000_000 },
  });
  const text = encodeJson(MessageSchema, message);
  assert.deepEqual(Object.keys(JSON.parse(text)), ["id", "roomId", "seq", "authorId", "text", "clientMessageId", "createdAt", "reactions"]);
  assert.ok(equals(MessageSchema, decodeJson(MessageSchema, text), message));
});

test("the scanner is linear on backslashes and quotes", () => {
  const begun = performance.now();
  for (const part of ["\\", '"', '\\"', "[", '"\\\\"']) scanJson(`{"a":"${part.repeat(200_000)}`);
  assert.ok(performance.now() - begun < 1000);
});

test("the scanner counts what the parser keeps", () => {
  for (const text of ['{"a":{"b":[{"c":"x:y"},{"d":":"}]}}', "{}", '{"\\"":{"\\\\":1}}', '[{"a":1},{"a":2}]']) {
    assert.equal(scanJson(text).members, countMembers(JSON.parse(text)), text);
  }
});
