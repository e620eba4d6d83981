// What nodes tell each other of who is connected to them.
import { Presence_Status as Status } from "@parlor/contract";
import { isCount, isId, isListOf, isRecord } from "../domain/checks.ts";

/** What a node tells of a person who is connected to it, or was, or made a wish there. */
export interface PersonThere {
  readonly userId: string;
  /** Open connections to that node. */
  readonly connections: number;
  /** Whether any of them showed a sign of activity of late. */
  readonly active: boolean;
  readonly wished: Status;
  /** When that was wished: the newest wish counts. Milliseconds since 1970. */
  readonly wishedAt: number;
  /** The person's rooms, where others may have to be told. */
  readonly rooms?: readonly string[];
}

export type Word =
  | { readonly kind: "changes" | "all"; readonly people: readonly PersonThere[] }
  | { readonly kind: "beat" | "bye" }
  /** Asks a node, or with none every node, for all of its people. */
  | { readonly kind: "ask"; readonly of?: string };

/** `n` counts the changes that a node has told so far, so that others see when some did not reach them. */
export interface Letter {
  readonly from: string;
  readonly n: number;
  readonly word: Word;
}

/** Whether it is one. A node of another version may write more fields. */
export function isLetter(value: unknown): value is Letter {
  return isRecord(value) && isId(value["from"]) && isCount(value["n"]) && isWord(value["word"]);
}

function isWord(value: unknown): value is Word {
  if (!isRecord(value)) return false;
  const { kind, people, of } = value;
  if (kind === "changes" || kind === "all") return isListOf(people, isPerson);
  return kind === "beat" || kind === "bye" || (kind === "ask" && (of === undefined || isId(of)));
}

function isPerson(value: unknown): value is PersonThere {
  if (!isRecord(value)) return false;
  const { userId, connections, active, wished, wishedAt, rooms } = value;
  const isThere = isId(userId) && isCount(connections) && typeof active === "boolean";
  return isThere && isCount(wished) && wished in Status && isCount(wishedAt) && (rooms === undefined || isListOf(rooms, isId));
}
