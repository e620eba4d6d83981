import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { test } from "node:test";
import { readInto } from "../../src/transports/inlet.ts";
import { Inbox } from "../support/inbox.ts";

/** Both ends of a connection: the one that was accepted, and its client's. */
async function pair(): Promise<{ readonly accepted: Socket; readonly client: Socket } & Disposable> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
  const [accepted] = (await once(server, "connection")) as [Socket];
  accepted.on("error", () => undefined);
  const close = (): void => {
    client.destroy();
    accepted.destroy();
    server.close();
  };
  return { accepted, client, [Symbol.dispose]: close };
}

test("all connections that were accepted are read into one memory, which Node's own fields make possible", async () => {
  using one = await pair();
  using other = await pair();
  const memories = new Inbox<ArrayBufferLike>();
  for (const { accepted, client } of [one, other]) {
    readInto(accepted, (bytes) => memories.put(bytes.buffer));
    client.write("hello");
  }
  await memories.until((items) => items.length === 2);
  assert.equal(memories.items[0], memories.items[1]);
});

test("what was put back comes first; while it is paused nothing comes; its end and its loss are seen", async () => {
  using one = await pair();
  const heard = new Inbox<string>();
  one.client.write("b");
  await once(one.accepted, "readable");
  assert.equal(String(one.accepted.read()), "b");
  one.accepted.unshift("ab");
  readInto(one.accepted, (bytes) => heard.put(String(bytes)));
  one.client.write("c");
  await heard.until((items) => items.join("") === "abc");

  one.accepted.pause();
  one.client.write("d");
  using other = await pair();
  other.client.write("x");
  readInto(other.accepted, (bytes) => heard.put(String(bytes)));
  await heard.until((items) => items.includes("x"));
  assert.equal(heard.items.includes("d"), false);
  one.accepted.resume();
  await heard.until((items) => items.includes("d"));

  const ended = once(one.accepted, "end");
  const lost = new Promise((resolve) => other.accepted.on("close", resolve));
  one.client.end();
  other.client.resetAndDestroy();
  await Promise.all([ended, lost]);
});
