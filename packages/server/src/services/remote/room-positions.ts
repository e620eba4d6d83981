import { type ClientFrame, type Gap, type Welcome, Welcome_Outcome } from "@parlor/contract";
import type { RoomEvent } from "../../domain/room-event.ts";

/** Where a connection stands in each of its rooms, told by what passes over it. */
export class RoomPositions {
  readonly #positions = new Map<string, number>();
  #cursors: ReadonlyMap<string, number> = new Map();

  /** The `seq` after which the room's next event comes. */
  of(roomId: string): number | undefined {
    return this.#positions.get(roomId);
  }

  rooms(): Iterable<string> {
    return this.#positions.keys();
  }

  /** A frame of the client: its hello says where it goes on. */
  said({ kind }: ClientFrame): void {
    if (kind.case === "hello") this.#cursors = new Map(kind.value.resume.map(({ roomId, seq }) => [roomId, seq]));
  }

  welcomed({ rooms }: Welcome): void {
    for (const { roomId, lastSeq, outcome } of rooms) {
      const resumed = outcome === Welcome_Outcome.RECOVERED ? this.#cursors.get(roomId) : undefined;
      if (outcome !== Welcome_Outcome.NOT_EXISTING) this.#positions.set(roomId, resumed ?? lastSeq);
    }
  }

  gapped(gaps: readonly Gap[]): void {
    for (const { roomId, to } of gaps) this.#positions.set(roomId, to);
  }

  passed(events: readonly RoomEvent[]): void {
    for (const { roomId, seq, event } of events.filter((one) => one.seq === 0)) {
      if (event.kind.case === "roomEntered") this.#positions.set(roomId, event.kind.value.room?.room?.lastSeq ?? seq);
      if (event.kind.case === "roomExited") this.#positions.delete(roomId);
    }
    const last = events.at(-1);
    if (last && last.seq > 0) this.#positions.set(last.roomId, last.seq);
  }
}
