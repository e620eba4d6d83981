import assert from "node:assert/strict";
import { test } from "node:test";
import { Code, ParlorError, Reason } from "@parlor/contract";
import { PageTokens, pageScope } from "../../src/domain/page-tokens.ts";

const tokens = new PageTokens(new Uint8Array(32).fill(7));
const scope = pageScope("ListSessions", "user-1", "query");

function refusal(open: () => unknown): ParlorError {
  try {
    open();
  } catch (error) {
    assert.ok(error instanceof ParlorError);
    return error;
  }
  assert.fail("it was accepted");
}

test("a page token gives back the key that was sealed", () => {
  for (const key of [["ann"], [12, "x"], ["ünïcødé"], []]) assert.deepEqual(tokens.open(scope, tokens.seal(scope, key)), key);
});

test("no page token asks for the first page", () => {
  assert.equal(tokens.open(scope, ""), undefined);
});

test("a page token is good for its own list, caller and filter only", () => {
  const token = tokens.seal(scope, ["ann"]);
  const others = [
    pageScope("ListRooms", "user-1", "query"),
    pageScope("ListSessions", "user-2", "query"),
    pageScope("ListSessions", "user-1", ""),
  ];
  for (const other of others) {
    const error = refusal(() => tokens.open(other, token));
    assert.equal(error.code, Code.INVALID_ARGUMENT);
    assert.equal(error.reason, Reason.PAGE_TOKEN_INVALID);
    assert.equal(error.violations[0]?.field, "page_token");
  }
});

test("a page token that was tampered with, cut or made with another key is refused", () => {
  const token = tokens.seal(scope, ["ann"]);
  const flipped = Buffer.from(token, "base64url");
  flipped[20] = (flipped[20] as number) ^ 1;
  const foreign = new PageTokens(new Uint8Array(32).fill(8)).seal(scope, ["ann"]);
  const hostile = [
    flipped.toString("base64url"),
    token.slice(0, 8),
    token.slice(0, -2),
    foreign,
    "{}",
    "\u0000",
    "AAAA",
    "' OR 1=1--",
    "💥",
  ];
  for (const bad of hostile) assert.equal(refusal(() => tokens.open(scope, bad)).reason, Reason.PAGE_TOKEN_INVALID, bad);
});

test("a page is cut with a token for the next one, and without on the last", () => {
  const cut = tokens.cut(scope, ["a", "b", "c"], 2, (last) => [last]);
  assert.deepEqual(cut.items, ["a", "b"]);
  assert.deepEqual(tokens.open(scope, cut.nextPageToken), ["b"]);
  assert.deepEqual(
    tokens.cut(scope, ["c", "d"], 2, (last) => [last]),
    { items: ["c", "d"], nextPageToken: "" },
  );
  assert.deepEqual(
    tokens.cut(scope, [], 2, () => []),
    { items: [], nextPageToken: "" },
  );
});
