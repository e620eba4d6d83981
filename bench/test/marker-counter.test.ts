import assert from "node:assert/strict";
import { test } from "node:test";
import { MarkerCounter } from "../generator/marker-counter.ts";
import { TEXT } from "../generator/text.ts";

/** A stream of messages whose lengths differ, with other things between some of them. */
function stream(messages: number): Buffer {
  const parts = Array.from({ length: messages }, (_, index) => {
    const other = index % 7 === 0 ? `{"presence":"${"x".repeat(index * 13)}"},` : "";
    return `${other}{"seq":${index * index},"text":"${TEXT}"},`;
  });
  return Buffer.from(parts.join(""));
}

function countInSpans(bytes: Buffer, length: number): number {
  const counter = new MarkerCounter();
  let count = 0;
  for (let at = 0; at < bytes.length; at += length) count += counter.scan(bytes, at, Math.min(bytes.length, at + length));
  return count;
}

test("counts every message once, wherever the stream is cut", () => {
  const bytes = stream(300);
  for (const length of [1, 2, 3, 4, 5, 199, 200, 201, 250, 1000, 4096, bytes.length]) {
    assert.equal(countInSpans(bytes, length), 300, `in spans of ${length} bytes`);
  }
});

test("looks at no byte outside the span", () => {
  const bytes = stream(10);
  const first = bytes.indexOf(TEXT) + TEXT.length;
  assert.equal(new MarkerCounter().scan(bytes, 0, first), 1);
});

test("what comes before the first message is no message's length", () => {
  const message = `{"text":"${TEXT}"},`;
  const bytes = Buffer.from(message.repeat(20));
  const welcome = Buffer.from("x".repeat(2 * message.length - message.indexOf(TEXT)));
  const counter = new MarkerCounter();
  assert.equal(counter.scan(welcome, 0, welcome.length), 0);
  assert.equal(counter.scan(bytes, 0, bytes.length), 20);
});
