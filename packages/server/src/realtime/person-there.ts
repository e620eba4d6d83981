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
  /** After the last connection of all: in how long the person appears offline, if sooner than usual (milliseconds). */
  readonly offlineAfterMs?: number;
  /** The person's rooms, where others may have to be told. */
  readonly rooms?: readonly string[];
}

export function isPersonThere(value: unknown): value is PersonThere {
  if (!isRecord(value)) return false;
  const { userId, connections, active, wished, wishedAt, offlineAfterMs, rooms } = value;
  const isThere = isId(userId) && isCount(connections) && typeof active === "boolean";
  const isWish = isCount(wished) && wished in Status && isCount(wishedAt);
  return isThere && isWish && (offlineAfterMs === undefined || isCount(offlineAfterMs)) && (rooms === undefined || isListOf(rooms, isId));
}
