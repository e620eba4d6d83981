// Rooms and people by name.
import type { MyRoom, ParlorClient, Room } from "@parlor/client";
import { exitCodes, UsageError } from "./failure.ts";
import { currentAccount } from "./logins.ts";

const pageSize = 200;
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** A client for whoever is logged in. */
export async function openClient(
  options: { readonly fillGaps?: boolean; readonly resume?: readonly { readonly roomId: string; readonly seq: number }[] } = {},
): Promise<ParlorClient> {
  const { ParlorClient: Client } = await import("@parlor/client");
  return new Client({ ...currentAccount(), ...options });
}

/** Every room of the caller. */
export async function myRooms(client: ParlorClient): Promise<MyRoom[]> {
  const found: MyRoom[] = [];
  let pageToken = "";
  do {
    const page = await client.rooms.listMyRooms({ pageSize, pageToken });
    found.push(...page.rooms);
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return found;
}

/** The public rooms whose name begins with a text; all of them when it is empty. */
export async function publicRooms(client: ParlorClient, query: string): Promise<Room[]> {
  const found: Room[] = [];
  let pageToken = "";
  do {
    const page = await client.rooms.listRooms({ query, pageSize, pageToken });
    found.push(...page.rooms);
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return found;
}

function theOnly(name: string, rooms: readonly Room[], otherwise: string): string {
  const named = rooms.filter((room) => room.name === name);
  const [first, ...others] = named;
  if (!first) throw new UsageError(otherwise, exitCodes.failed);
  if (others.length > 0)
    throw new UsageError(
      `Several rooms are named ${JSON.stringify(name)}. Name one by its id:\n${named.map((room) => `  ${room.id}`).join("\n")}`,
    );
  return first.id;
}

/** The id of a room of the caller, given its id or exact name. */
export async function myRoomId(client: ParlorClient, room: string): Promise<string> {
  if (uuid.test(room)) return room;
  const rooms = (await myRooms(client)).flatMap((mine) => (mine.room ? [mine.room] : []));
  return theOnly(
    room,
    rooms,
    `You are in no room named ${JSON.stringify(room)}. \`parlor rooms list\` shows yours; \`parlor rooms join\` enters a public one.`,
  );
}

/** The id of a public room, given its id or exact name. */
export async function publicRoomId(client: ParlorClient, room: string): Promise<string> {
  if (uuid.test(room)) return room;
  return theOnly(
    room,
    await publicRooms(client, room),
    `There is no public room named ${JSON.stringify(room)}. \`parlor rooms list --public\` shows all.`,
  );
}
