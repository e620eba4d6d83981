// Events as people read them.
import type { Event } from "@parlor/client";
import type { People } from "./people.ts";
import { printable } from "./terminal.ts";

function clock(event: Event): string {
  const at = new Date(event.at === undefined ? 0 : Number(event.at.seconds) * 1000);
  return at.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
}

/** Further lines of a message stand under its first one. */
function indented(text: string): string {
  return printable(text).replaceAll("\n", "\n      ");
}

/** What somebody did, to go after their name; undefined for what is not worth a line. */
async function deed({ kind, actorId }: Event, people: People): Promise<string | undefined> {
  switch (kind.case) {
    case "messageEdited":
      return `edited ${kind.value.messageSeq}: ${indented(kind.value.text)}`;
    case "messageDeleted":
      return `deleted ${kind.value.messageSeq}`;
    case "reactionAdded":
      return `reacted to ${kind.value.messageSeq} with ${printable(kind.value.emoji)}`;
    case "reactionRemoved":
      return `took back ${printable(kind.value.emoji)} from ${kind.value.messageSeq}`;
    case "roomCreated":
      return `made the room ${printable(kind.value.room?.name ?? "")}`;
    case "roomUpdated":
      return "changed the room";
    case "roomArchived":
      return "archived the room";
    case "roomDeleted":
      return "deleted the room";
    case "memberJoined":
      return kind.value.member?.userId === actorId ? "joined" : `added ${await people.name(kind.value.member?.userId ?? "")}`;
    case "memberLeft":
      return "left";
    case "memberUpdated":
      return `changed the role or mute of ${await people.name(kind.value.member?.userId ?? "")}`;
    case "memberRemoved":
      return `removed ${await people.name(kind.value.userId)}`;
    case "memberBanned":
      return `banned ${await people.name(kind.value.userId)}`;
    case "memberUnbanned":
      return `lifted the ban of ${await people.name(kind.value.userId)}`;
    default:
      return undefined;
  }
}

/** An event of a room's log on one line, or as many as its text has; undefined when there is nothing to show. */
export async function eventLine(event: Event, people: People): Promise<string | undefined> {
  const name = await people.name(event.actorId);
  if (event.kind.case === "messageSent") {
    const { text, deletedAt } = event.kind.value.message ?? { text: "", deletedAt: undefined };
    return `${clock(event)} ${String(event.seq).padStart(4)} ${name}: ${deletedAt === undefined ? indented(text) : "(deleted)"}`;
  }
  const done = await deed(event, people);
  return done === undefined ? undefined : `${clock(event)} ${String(event.seq).padStart(4)} * ${name} ${done}`;
}
