import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type DescField, type DescMessage, type DescMethod, equals, type Message } from "@bufbuild/protobuf";
import {
  CreateRoomRequestSchema,
  fromHttp,
  type HttpInput,
  httpRuleOf,
  ListMessagesRequestSchema,
  ParlorError,
  Reason,
  SendMessageRequestSchema,
  toHttp,
  unaryMethods,
} from "@parlor/contract";
import fc from "fast-check";

const id = "0199a5c4-7d10-7c3e-9f43-1a2b3c4d5e01";

function methodNamed(name: string): DescMethod {
  const method = unaryMethods.find((candidate) => candidate.name === name);
  assert.ok(method);
  return method;
}

/** What a server reads of a request: the parts of the path are found by its template. */
function received(method: DescMethod, { path, body }: { path: string; body?: string }): HttpInput {
  const [route = "", query = ""] = path.split("?");
  const template = httpRuleOf(method)?.path.split("/") ?? [];
  const parts = route.split("/");
  assert.equal(parts.length, template.length);
  const params = Object.fromEntries(
    template.flatMap((part, i) => (part.startsWith("{") ? [[part.slice(1, -1), decodeURIComponent(parts[i] as string)]] : [])),
  );
  return { params, query: new URLSearchParams(query), body };
}

function arbitrary(message: DescMessage, pathFields: readonly DescField[]): fc.Arbitrary<Message> {
  const single = message.fields.filter((field) => field.oneof === undefined || field.proto.proto3Optional);
  const record = Object.fromEntries(
    single.map((field) => [field.localName, pathFields.includes(field) ? partOfPath : arbitraryField(field)]),
  );
  const required = pathFields.map(({ localName }) => localName);
  return fc.record(record, { requiredKeys: required }).map((init) => create(message, init));
}

const text = fc.string({ unit: "grapheme" });
const partOfPath = text.filter((part) => part !== "" && part !== "." && part !== "..");

function arbitraryField(field: DescField): fc.Arbitrary<unknown> {
  const value = arbitraryValue(field);
  return field.fieldKind === "list" ? fc.array(value, { maxLength: 4 }) : value;
}

function arbitraryValue(field: DescField): fc.Arbitrary<unknown> {
  if (field.enum !== undefined) return fc.constantFrom(...field.enum.values.map(({ number }) => number));
  if (field.message?.typeName === "google.protobuf.Timestamp") {
    return fc.record({ seconds: fc.bigInt({ min: 0n, max: 253_402_300_799n }), nanos: fc.nat(999_999_999) });
  }
  if (field.message !== undefined) return arbitrary(field.message, []);
  return { 8: fc.boolean(), 9: text, 13: fc.nat(4_294_967_295) }[field.scalar as number] ?? assert.fail(String(field));
}

for (const method of unaryMethods) {
  test(`${method.name}: what a client sends is what the server reads`, () => {
    const rule = httpRuleOf(method);
    assert.ok(rule);
    fc.assert(
      fc.property(arbitrary(method.input, rule.pathFields), (request) => {
        const call = toHttp(method, request);
        assert.equal(call.verb, rule.verb);
        assert.match(call.path, /^\/[\x21-\x7e]+$/);
        const read = fromHttp(method, received(method, call));
        assert.ok(equals(method.input, read, request), JSON.stringify(call));
      }),
      { numRuns: 50 },
    );
  });
}

function refused(name: string, input: Partial<{ params: Record<string, string>; query: string; body: string }>): ParlorError {
  try {
    fromHttp(methodNamed(name), {
      params: input.params ?? { room_id: id, message_id: id },
      query: new URLSearchParams(input.query),
      body: input.body,
    });
  } catch (error) {
    assert.ok(error instanceof ParlorError, String(error));
    return error;
  }
  assert.fail("was not refused");
}

const wrong = (name: string, input: Parameters<typeof refused>[1]): string[] => refused(name, input).violations.map(({ field }) => field);

test("every wrong part of a query is named", () => {
  assert.deepEqual(wrong("ListMessages", { query: "pageSize=5&page_size=6&before_seq=0x10&a[b]=1&page_size[]=1&room_id=x&__proto__=1" }), [
    "page_size",
    "before_seq",
    "a[b]",
    "page_size[]",
    "room_id",
    "__proto__",
  ]);
});

test("numbers of a query are whole, and in their range", () => {
  for (const value of [
    "",
    "-1",
    "1.5",
    "1e2",
    "0x10",
    " 5",
    "5 ",
    "abc",
    "NaN",
    "Infinity",
    "4294967296",
    "9223372036854775808",
    "٣",
    "[]",
    "null",
    "true",
  ]) {
    assert.deepEqual(wrong("ListMessages", { query: new URLSearchParams({ page_size: value }).toString() }), ["page_size"], value);
  }
});

test("names of a query are read in both spellings, and lists from repeated names", () => {
  const page = fromHttp(methodNamed("ListMessages"), {
    params: { room_id: id },
    query: new URLSearchParams("afterSeq=0&page_size=7"),
    body: undefined,
  });
  assert.ok(equals(ListMessagesRequestSchema, page as never, create(ListMessagesRequestSchema, { roomId: id, afterSeq: 0, pageSize: 7 })));
  const presence = fromHttp(methodNamed("GetPresence"), {
    params: {},
    query: [
      ["user_ids", "a"],
      ["userIds", "b"],
    ],
    body: "",
  });
  assert.deepEqual((presence as unknown as { userIds: string[] }).userIds, ["a", "b"]);
});

test("a query is refused where there is a body", () => {
  assert.deepEqual(wrong("SendMessage", { query: "text=a&access_token=t", body: '{"text":1}' }), ["text", "access_token", "text"]);
});

test("a field of the path may be in the body only with the same value", () => {
  const send = methodNamed("SendMessage");
  const read = fromHttp(send, { params: { room_id: id }, query: [], body: `{"roomId":"${id}","text":"a"}` });
  assert.ok(equals(SendMessageRequestSchema, read as never, create(SendMessageRequestSchema, { roomId: id, text: "a" })));
  assert.deepEqual(wrong("SendMessage", { body: '{"roomId":"other","text":"a","seq":1}' }), ["seq"]);
  assert.deepEqual(wrong("SendMessage", { body: '{"roomId":"other","text":"a"}' }), ["room_id"]);
});

test("no body stands for an empty one; a body where none is due is refused", () => {
  const read = fromHttp(methodNamed("CreateRoom"), { params: {}, query: [], body: undefined });
  assert.ok(equals(CreateRoomRequestSchema, read as never, create(CreateRoomRequestSchema)));
  assert.equal(refused("ListMessages", { body: '{"pageSize":5}' }).reason, Reason.MALFORMED);
  assert.equal(refused("CreateRoom", { params: {}, body: "[]" }).reason, Reason.MALFORMED);
});

test("a path cannot be left through a field", () => {
  const get = methodNamed("GetRoom");
  for (const roomId of ["", ".", "..", "\ud800"])
    assert.throws(() => toHttp(get, create(get.input, { roomId } as Record<string, unknown>)), ParlorError, roomId);
  const sneaky = create(get.input, { roomId: "../users/me?x=1#y" } as Record<string, unknown>);
  assert.equal(toHttp(get, sneaky).path, "/rooms/..%2Fusers%2Fme%3Fx%3D1%23y");
});
