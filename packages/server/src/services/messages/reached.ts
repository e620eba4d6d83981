import { Code, ParlorError, Reason } from "@parlor/contract";
import type { RoomFeed } from "../../log/room-feed.ts";

/** @throws ParlorError OUT_OF_RANGE when a `seq` lies beyond the end of the room, on every node */
export async function requireReached(feed: RoomFeed, field: string, seq = 0): Promise<void> {
  if (await feed.reaches(seq)) return;
  const violations = [{ field, description: `must be at most ${feed.head}, the end of the room` }];
  throw new ParlorError(Code.OUT_OF_RANGE, Reason.SEQ_IN_FUTURE, "This seq lies beyond the end of the room.", { violations });
}
