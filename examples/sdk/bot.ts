// A bot that answers "!ping" in one room, once for each, however often it is stopped and started.
//
//   PARLOR_TOKEN=parlor_... npx node bot.ts http://localhost:8080 ROOM_ID bot.seq
//
// The token needs the scopes READ, WRITE and ROOMS.
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { type Event, ParlorClient } from "@parlor/client";

/** Where the bot keeps the `seq` of the last event that it has dealt with. */
class Bookmark {
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  read(): number | undefined {
    try {
      return Number(readFileSync(this.#file, "utf8"));
    } catch {
      return undefined;
    }
  }

  /** Under another name first: a crash leaves the old one or the new one. */
  write(seq: number): void {
    writeFileSync(`${this.#file}.new`, String(seq));
    renameSync(`${this.#file}.new`, this.#file);
  }
}

async function answer(client: ParlorClient, { roomId, kind }: Event): Promise<void> {
  if (kind.case !== "messageSent" || kind.value.message?.text !== "!ping") return;
  // The same key for the same ping: if the bot stops before it has written its bookmark, the answer is still sent once.
  await client.send(roomId, "pong", { clientMessageId: `pong ${kind.value.message.id}` });
}

async function run(url: string, roomId: string, file: string, token: string): Promise<void> {
  const bookmark = new Bookmark(file);
  const room = new ParlorClient({ url, token });
  const joined = await room.rooms.joinRoom({ roomId });
  const seq = bookmark.read() ?? joined.room?.lastSeq ?? 0;
  // Before the first event: a bot that is stopped while it answers must find where it began.
  bookmark.write(seq);
  // `fillGaps` reads what the server would not send again after a very long absence.
  using client = new ParlorClient({ url, token, fillGaps: true, resume: [{ roomId, seq }] });
  const events = client.events();
  await client.connect();
  console.log(`following after ${seq}`);
  for await (const event of events) {
    if (event.roomId !== roomId || event.seq === 0) continue;
    await answer(client, event);
    bookmark.write(event.seq);
  }
}

const [url, roomId, file] = process.argv.slice(2);
const token = process.env["PARLOR_TOKEN"];
if (!url || !roomId || !file || !token) throw new Error("usage: PARLOR_TOKEN=... node bot.ts URL ROOM_ID BOOKMARK_FILE");
await run(url, roomId, file, token);
