// The bot of examples/sdk, killed in between.
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { type Message, ParlorClient, Room_Visibility, ApiToken_Scope as Scope } from "@parlor/client";
import { Program } from "./support/processes.ts";
import { startServer } from "./support/server.ts";

const script = join(import.meta.dirname, "sdk/bot.ts");

test("the bot answers each ping once, also those that came while it was dead", { timeout: 60_000 }, async () => {
  await using server = await startServer();
  using alice = new ParlorClient({ url: server.url });
  using owner = new ParlorClient({ url: server.url });
  await alice.signUp({ username: "alice", password: "a red balloon" });
  await owner.signUp({ username: "bot", password: "a blue balloon" });
  const { token } = await owner.auth.createApiToken({ name: "bot", scopes: [Scope.READ, Scope.WRITE, Scope.ROOMS] });
  const { room } = await alice.rooms.createRoom({ name: "lab", visibility: Room_Visibility.PUBLIC });
  const roomId = room?.id ?? "";

  const start = async (): Promise<Program> => {
    const bot = new Program(process.execPath, [script, server.url, roomId, join(server.folder, "bot.seq")], {
      env: { PARLOR_TOKEN: token },
    });
    await bot.until(/following/);
    return bot;
  };
  const answers = answersTo(alice);
  await alice.connect();
  const ping = async (): Promise<string> => (await alice.send(roomId, "!ping")).message?.id ?? "";

  const bot = await start();
  const first = await ping();
  await answers(1);
  await bot.stop("SIGKILL");
  const missed = [await ping(), await ping()];
  await using again = await start();
  const last = await ping();
  await answers(4);
  await again.stop("SIGTERM");

  const { messages } = await alice.messages.listMessages({ roomId });
  const keys = messages.filter(({ text }) => text === "pong").map(({ clientMessageId }) => clientMessageId);
  assert.deepEqual(
    keys,
    [first, ...missed, last].map((id) => `pong ${id}`),
  );
});

/** Waits until so many pongs were heard. */
function answersTo(client: ParlorClient): (count: number) => Promise<void> {
  let heard = 0;
  let look = (): void => {};
  client.on("message", ({ text }: Message) => {
    if (text === "pong") heard++;
    look();
  });
  return (count) =>
    new Promise((resolve) => {
      look = () => {
        if (heard >= count) resolve();
      };
      look();
    });
}
