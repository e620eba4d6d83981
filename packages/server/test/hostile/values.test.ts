// Bad values in well-formed requests: the same refusal on every protocol, every wrong field named, nothing stored.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { create, type DescMethod, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { AuthService, MessagesService, PresenceService, RoomsService, SendMessageRequestSchema, UsersService } from "@parlor/contract";
import { clientDriver } from "../support/drivers/client.ts";
import type { Person } from "../support/drivers/driver.ts";
import { newName } from "../support/party.ts";
import { type Target, target } from "./target.ts";
import { callGrpc, callRest, grpcPath, HostileStream, type Outcome, rest } from "./voices.ts";
import { Witness } from "./witness.ts";

const family = "\u{1f468}\u200d\u{1f469}\u200d\u{1f467}\u200d\u{1f466}\u200d\u{1f468}\u200d\u{1f469}\u200d\u{1f467}\u200d\u{1f466}";
const someone = "018f0000-0000-7000-8000-000000000001";
const tampered = Buffer.alloc(40, 7).toString("base64url");

let server: Target;
let witness: Witness;
let mallory: Person;
let roomId: string;
let headBefore: number;
let streams: readonly HostileStream[];

before(async () => {
  server = await target();
  witness = await Witness.start(server);
  mallory = await clientDriver(server.url, "json").signUp(newName());
  const { room } = await mallory.call(RoomsService.method.createRoom, { name: "Here" });
  roomId = room?.id ?? "";
  headBefore = room?.lastSeq ?? 0;
  streams = await Promise.all((["json", "proto"] as const).map((format) => HostileStream.open(server.port, format, mallory.token)));
});
after(async () => {
  for (const stream of streams) stream.close();
  mallory.close();
  await server[Symbol.asyncDispose]();
});

/** The outcome of a unary call on each protocol that has it. */
function unary<M extends DescMethod>(method: M, request: MessageInitShape<M["input"]>): Promise<readonly Outcome[]> {
  const bytes = toBinary(method.input, create(method.input, request));
  return Promise.all([callRest(server.url, method, request, mallory.token), callGrpc(server.port, grpcPath(method), bytes, mallory.token)]);
}

function send(request: MessageInitShape<typeof SendMessageRequestSchema>): Promise<readonly Outcome[]> {
  const value = create(SendMessageRequestSchema, request);
  const overStreams = streams.map((stream) => stream.ask({ case: "send", value }));
  return Promise.all([unary(MessagesService.method.sendMessage, request), ...overStreams]).then((outcomes) => outcomes.flat());
}

const brief = (outcomes: readonly Outcome[]) => outcomes.map(({ reason, fields }) => `${reason} ${fields}`);
const allAre = (outcomes: readonly Outcome[], reason: string, fields: readonly string[]): void =>
  assert.deepEqual(brief(outcomes), Array(outcomes.length).fill(`${reason} ${fields}`));

describe("bad values", () => {
  const texts: readonly (readonly [string, string])[] = [
    ["empty", ""],
    ["only white space", " \n\t\u3000"],
    ["only zero-width characters", "\u200b\u200c\u2060\ufeff"],
    ["only controls", "\u0001\u0007"],
    ["with a NUL", "a\0b"],
    ["of 8,001 characters", "x".repeat(8001)],
    ["an emoji of seven joiners, 8,010 characters", family.repeat(534)],
  ];
  for (const [name, text] of texts) {
    test(`a message ${name}`, async () => allAre(await send({ roomId, text }), "INVALID_FIELDS", ["text"]));
  }

  test("a message larger than a frame", async () => {
    const text = family.repeat(1500);
    const outcomes = await unary(MessagesService.method.sendMessage, { roomId, text });
    assert.deepEqual(
      outcomes.map(({ reason }) => reason),
      ["TOO_LARGE", "TOO_LARGE"],
    );
    for (const format of ["json", "proto"] as const) {
      const stream = await HostileStream.open(server.port, format, mallory.token);
      stream.frame({ id: 1, kind: { case: "send", value: { roomId, text } } });
      const { reason, code } = await stream.ended;
      assert.deepEqual([reason, code], ["FRAME_TOO_LARGE", 1009]);
    }
  });

  test("every wrong field is named at once", async () => {
    const outcomes = await send({ roomId: "../x", text: "\0", clientMessageId: "k".repeat(65) });
    allAre(outcomes, "INVALID_FIELDS", ["client_message_id", "room_id", "text"]);
  });

  test("a lone surrogate, which only JSON can write", async () => {
    const body = `{"text": "a\\ud800b"}`;
    allAre([await rest(server.url, "POST", `/rooms/${roomId}/messages`, mallory.token, body)], "INVALID_FIELDS", ["text"]);
    const json = streams[0] as HostileStream;
    json.raw(`{"id": 900, "send": {"roomId": "${roomId}", "text": "a\\ud800b"}}`);
    allAre([await json.answer(900)], "INVALID_FIELDS", ["send.text"]);
  });

  const names: readonly (readonly [string, string])[] = [
    ["a right-to-left override", "nice\u202eman"],
    ["256 combining marks", `Z${"\u0301".repeat(256)}`],
    ["a line break", "a\nb"],
    ["only joiners", "\u200d\u200d"],
    ["a NUL", "a\0b"],
  ];
  for (const [name, text] of names) {
    test(`${name} in a name`, async () => {
      allAre(await unary(RoomsService.method.createRoom, { name: text }), "INVALID_FIELDS", ["name"]);
      allAre(await unary(RoomsService.method.updateRoom, { roomId, name: text }), "INVALID_FIELDS", ["name"]);
      allAre(await unary(UsersService.method.updateProfile, { displayName: text }), "INVALID_FIELDS", ["display_name"]);
    });
  }

  const requests: readonly (readonly [string, () => Promise<readonly Outcome[]>, string, readonly string[]])[] = [
    [
      "an emoji of 10 KB",
      () => unary(MessagesService.method.addReaction, { roomId, messageId: someone, emoji: "\u200d\u{1f525}".repeat(70) }),
      "INVALID_FIELDS",
      ["emoji"],
    ],
    [
      "two emoji in one",
      () => unary(MessagesService.method.addReaction, { roomId, messageId: someone, emoji: "\u{1f44d}\u{1f44e}" }),
      "INVALID_FIELDS",
      ["emoji"],
    ],
    [
      "a password of 73 bytes at sign-up",
      () => unary(AuthService.method.signUp, { username: newName(), password: `${"\u00e9".repeat(36)}x` }),
      "INVALID_FIELDS",
      ["password"],
    ],
    [
      "a password of 73 bytes at log-in",
      () => unary(AuthService.method.logIn, { username: mallory.user.username, password: "p".repeat(73) }),
      "INVALID_FIELDS",
      ["password"],
    ],
    [
      "a NUL in a password",
      () => unary(AuthService.method.signUp, { username: newName(), password: "correct\0horse" }),
      "INVALID_FIELDS",
      ["password"],
    ],
    [
      "a common password",
      () => unary(AuthService.method.signUp, { username: newName(), password: "password1" }),
      "INVALID_FIELDS",
      ["password"],
    ],
    [
      "a page of a thousand million",
      () => unary(MessagesService.method.listMessages, { roomId, pageSize: 1e9 }),
      "INVALID_FIELDS",
      ["page_size"],
    ],
    ["501 events", () => unary(MessagesService.method.listEvents, { roomId, pageSize: 501 }), "INVALID_FIELDS", ["page_size"]],
    ["a read marker of the future", () => unary(MessagesService.method.markRead, { roomId, seq: 0xffff_ffff }), "SEQ_IN_FUTURE", ["seq"]],
    [
      "history after the future",
      () => unary(MessagesService.method.listMessages, { roomId, afterSeq: 4_000_000_000 }),
      "SEQ_IN_FUTURE",
      ["after_seq"],
    ],
    [
      "events after the future",
      () => unary(MessagesService.method.listEvents, { roomId, afterSeq: 4_000_000_000 }),
      "SEQ_IN_FUTURE",
      ["after_seq"],
    ],
    [
      "101 people at once",
      () => unary(PresenceService.method.getPresence, { userIds: Array(101).fill(someone) }),
      "INVALID_FIELDS",
      ["user_ids"],
    ],
    [
      "the same person twice",
      () => unary(RoomsService.method.createRoom, { name: "x", memberIds: [someone, someone] }),
      "INVALID_FIELDS",
      ["member_ids[1]"],
    ],
    [
      "an enum that is none",
      () =>
        Promise.all([callGrpc(server.port, grpcPath(PresenceService.method.setPresence), Buffer.from([8, 0x9f, 0x8d, 6]), mallory.token)]),
      "INVALID_FIELDS",
      ["status"],
    ],
    [
      "a mute into the year 10000",
      () =>
        unary(RoomsService.method.setMember, {
          roomId,
          userId: mallory.user.id,
          mutedUntil: { seconds: 253_402_300_799n, nanos: 999_999_999 },
        }),
      "INVALID_FIELDS",
      ["muted_until"],
    ],
    [
      "a URL that is a script",
      () => unary(UsersService.method.updateProfile, { avatarUrl: "javascript:alert(1)" }),
      "INVALID_FIELDS",
      ["avatar_url"],
    ],
    ["a page token made up", () => unary(RoomsService.method.listMyRooms, { pageToken: tampered }), "PAGE_TOKEN_INVALID", ["page_token"]],
  ];
  for (const [name, attempt, reason, fields] of requests) test(name, async () => allAre(await attempt(), reason, fields));

  const bodies: readonly (readonly [string, string, string, readonly string[]])[] = [
    [
      "read-only fields",
      `{"text": "x", "author_id": "${someone}", "seq": 7, "created_at": "2020-01-01T00:00:00Z", "role": "ADMIN"}`,
      "INVALID_FIELDS",
      ["author_id", "created_at", "role", "seq"],
    ],
    [
      "__proto__ and constructor",
      `{"text": "x", "__proto__": {"role": "ADMIN"}, "constructor": {}}`,
      "INVALID_FIELDS",
      ["__proto__", "constructor"],
    ],
    ["a name twice", `{"text": "a", "text": "b"}`, "MALFORMED", []],
    [
      "a name in both spellings",
      `{"clientMessageId": "a", "client_message_id": "b", "text": "x"}`,
      "INVALID_FIELDS",
      ["client_message_id"],
    ],
    ["a number for a text", `{"text": 9007199254740993}`, "INVALID_FIELDS", ["text"]],
    ["another room than in the path", `{"text": "x", "roomId": "${someone}"}`, "INVALID_FIELDS", ["room_id"]],
  ];
  for (const [name, body, reason, fields] of bodies) {
    test(`a body with ${name}`, async () => {
      allAre([await rest(server.url, "POST", `/rooms/${roomId}/messages`, mallory.token, body)], reason, fields);
    });
  }

  test("a role in a profile changes nothing", async () => {
    allAre([await rest(server.url, "PATCH", "/users/me", mallory.token, `{"role": "ADMIN", "bio": "x"}`)], "INVALID_FIELDS", ["role"]);
    const { user } = await mallory.call(UsersService.method.getMe, {});
    assert.deepEqual([user?.role, user?.bio], [mallory.user.role, ""]);
  });

  for (const size of ["2147483648", "4294967296", "9007199254740992", "9223372036854775808", "-1", "1e9", "0x10", "%00"]) {
    test(`a page size of ${size}`, async () => {
      allAre([await rest(server.url, "GET", `/rooms/${roomId}/messages?page_size=${size}`, mallory.token)], "INVALID_FIELDS", [
        "page_size",
      ]);
    });
  }

  for (const query of ["'", "\\", "a & | ! <-> b", "((", ":*", "'':*", "%", "_", "\u0661", "\ud83d\ude00", "*", "a'b\\"]) {
    test(`a search for ${JSON.stringify(query)} is a search`, async () => {
      allAre(await unary(RoomsService.method.listRooms, { query }), "OK", []);
      allAre(await unary(UsersService.method.searchUsers, { query }), "OK", []);
    });
  }

  test("nothing of all that was stored", async () => {
    const { room } = await mallory.call(RoomsService.method.getRoom, { roomId });
    assert.equal(room?.lastSeq, headBefore);
    assert.equal((await mallory.call(RoomsService.method.listMyRooms, {})).rooms.length, 1);
  });

  test("page tokens are good for one list of one person only", async () => {
    const ids = await Promise.all(["a", "b"].map((name) => mallory.call(RoomsService.method.createRoom, { name })));
    const { nextPageToken } = await mallory.call(RoomsService.method.listMyRooms, { pageSize: 1 });
    assert.notEqual(nextPageToken, "");
    allAre(await unary(RoomsService.method.listRooms, { pageToken: nextPageToken }), "PAGE_TOKEN_INVALID", ["page_token"]);
    allAre(
      await unary(RoomsService.method.listMembers, { roomId: ids[0]?.room?.id ?? "", pageToken: nextPageToken }),
      "PAGE_TOKEN_INVALID",
      ["page_token"],
    );
    const other = await clientDriver(server.url, "json").signUp(newName());
    allAre([await callRest(server.url, RoomsService.method.listMyRooms, { pageToken: nextPageToken }, other.token)], "PAGE_TOKEN_INVALID", [
      "page_token",
    ]);
    const last = Buffer.from(nextPageToken, "base64url");
    last[last.length - 2] = (last[last.length - 2] as number) ^ 1;
    allAre(await unary(RoomsService.method.listMyRooms, { pageToken: last.toString("base64url") }), "PAGE_TOKEN_INVALID", ["page_token"]);
    other.close();
  });

  test("text that looks like something else is text", async () => {
    const hostile = [
      "' OR 1=1--",
      "'; drop table messages; --",
      "$1 %s {{7*7}} #{7*7}",
      "<script>alert(1)</script>",
      "\u202eright to left",
      "\\u0000",
      family.repeat(400),
      "\u{1f525}".repeat(2560),
    ];
    for (const text of hostile) allAre(await send({ roomId, text }), "OK", []);
    const { messages } = await mallory.call(MessagesService.method.listMessages, { roomId, pageSize: 200 });
    assert.deepEqual(
      messages.map(({ text }) => text),
      hostile.flatMap((text) => Array(4).fill(text)),
    );
  });

  test("nobody else noticed, and the server is well", async () => {
    await witness.assertUndisturbed();
    await server.assertWell();
  });
});
