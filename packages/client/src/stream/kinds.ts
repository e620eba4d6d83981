import type { Event } from "@parlor/contract";

/** Whether an event tells only of this moment, so that missing it does no harm. */
export function isEphemeral({ kind }: Event): boolean {
  return kind.case === "typing" || kind.case === "presenceChanged";
}
