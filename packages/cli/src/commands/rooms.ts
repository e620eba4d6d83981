import type { ParlorClient, Room } from "@parlor/client";
import { Command } from "commander";
import { print, printable, table } from "../terminal.ts";

interface CreateOptions {
  readonly public?: boolean;
  readonly topic: string;
  readonly json?: boolean;
}

interface ListOptions {
  readonly public?: boolean;
  readonly json?: boolean;
}

/** A room as JSON, in the form that the REST interface has. */
async function asJson(room: Room): Promise<unknown> {
  const { RoomSchema, encodeJsonValue } = await import("@parlor/client");
  return encodeJsonValue(RoomSchema, room);
}

async function withClient<T>(work: (client: ParlorClient, lookup: typeof import("../lookup.ts")) => Promise<T>): Promise<T> {
  const lookup = await import("../lookup.ts");
  using client = await lookup.openClient();
  return await work(client, lookup);
}

async function roomTable(rooms: readonly Room[]): Promise<string[]> {
  const { Room_Visibility } = await import("@parlor/client");
  const rows = rooms.map((room) => [
    printable(room.name || "(direct)"),
    Room_Visibility[room.visibility] + (room.archivedAt ? ", archived" : ""),
    String(room.memberCount),
    String(room.lastSeq),
    room.id,
  ]);
  return table([["NAME", "VISIBILITY", "MEMBERS", "LAST SEQ", "ID"], ...rows]);
}

async function list({ public: isPublic, json }: ListOptions): Promise<void> {
  const rooms = await withClient(async (client, { myRooms, publicRooms }) =>
    isPublic ? publicRooms(client, "") : (await myRooms(client)).flatMap(({ room }) => (room ? [room] : [])),
  );
  print(json, await Promise.all(rooms.map(asJson)), await roomTable(rooms));
}

async function create(name: string, { public: isPublic, topic, json }: CreateOptions): Promise<void> {
  const { Room_Visibility } = await import("@parlor/client");
  const visibility = isPublic ? Room_Visibility.PUBLIC : Room_Visibility.PRIVATE;
  const { room } = await withClient((client) => client.rooms.createRoom({ name, topic, visibility }));
  if (room) print(json, await asJson(room), [`Made the room ${printable(room.name)}, id ${room.id}.`]);
}

async function join(name: string, { json }: { readonly json?: boolean }): Promise<void> {
  const { room } = await withClient(async (client, { publicRoomId }) =>
    client.rooms.joinRoom({ roomId: await publicRoomId(client, name) }),
  );
  if (room) print(json, await asJson(room), [`You are in ${printable(room.name)}, id ${room.id}.`]);
}

export function roomsCommand(): Command {
  return new Command("rooms")
    .description("List, make and join rooms.")
    .addHelpText("after", "\nExamples:\n  parlor rooms list\n  parlor rooms create general --public\n  parlor rooms join general")
    .addCommand(
      new Command("list")
        .description("List your rooms, or all public ones.")
        .option("--public", "List every public room.")
        .option("--json", "Print them as JSON.")
        .addHelpText("after", "\nExamples:\n  parlor rooms list\n  parlor rooms list --public --json")
        .action(list),
    )
    .addCommand(
      new Command("create")
        .description("Make a room, private unless told otherwise.")
        .argument("<name>", "1 to 100 characters")
        .option("--public", "Let everybody find and join it.")
        .option("--topic <text>", "What it is about.", "")
        .option("--json", "Print the room as JSON.")
        .addHelpText(
          "after",
          '\nExamples:\n  parlor rooms create general --public --topic "Everything else"\n  parlor rooms create plans --json',
        )
        .action(create),
    )
    .addCommand(
      new Command("join")
        .description("Join a public room.")
        .argument("<room>", "its name or id")
        .option("--json", "Print the room as JSON.")
        .addHelpText("after", "\nExample:\n  parlor rooms join general")
        .action(join),
    );
}
