import { fromBinary, isMessage } from "@bufbuild/protobuf";
import { TimestampSchema } from "@bufbuild/protobuf/wkt";
import { ServerFrameSchema } from "@parlor/contract";
import { eventBatch } from "../domain/event-batch.ts";
import { RoomEvent } from "../domain/room-event.ts";
import type { Bus } from "../ports/bus.ts";

export interface RoomHintHandlers {
  /** Events of the room that another node tells of: lost, doubled or out of order as the bus brings them. */
  hinted(events: readonly RoomEvent[]): void;
  /** Hints were lost. */
  lost(): void;
}

/**
 * Carries events of rooms to the nodes that listen for these rooms. What one turn of the event loop brings for a room goes as one
 * hint: a ServerFrame that holds the events.
 */
export class RoomHints {
  readonly #bus: Bus;
  readonly #reportFault: (error: unknown) => void;
  #waiting = new Map<string, RoomEvent[]>();
  #malformedTold = false;

  constructor(bus: Bus, reportFault: (error: unknown) => void) {
    this.#bus = bus;
    this.#reportFault = reportFault;
  }

  /** Tells the other nodes at the end of this turn. */
  send(roomId: string, events: readonly RoomEvent[]): void {
    if (this.#waiting.size === 0) setImmediate(() => this.flush());
    const gathered = this.#waiting.get(roomId);
    if (gathered) gathered.push(...events);
    else this.#waiting.set(roomId, [...events]);
  }

  /** Tells them now. */
  flush(): void {
    const waiting = this.#waiting;
    this.#waiting = new Map();
    for (const [roomId, events] of waiting) this.#bus.publish(topicOf(roomId), eventBatch(events));
  }

  /** Listens until the returned function is called. */
  listen(roomId: string, { hinted, lost }: RoomHintHandlers): () => void {
    const receive = (payload: Uint8Array): void => {
      const events = this.#decode(roomId, payload);
      if (events.length > 0) hinted(events);
    };
    return this.#bus.subscribe(topicOf(roomId), receive, lost);
  }

  /** What cannot be read counts as lost. Somebody else may be using the same channels: it is said once, not for each. */
  #decode(roomId: string, payload: Uint8Array): RoomEvent[] {
    try {
      const { events } = fromBinary(ServerFrameSchema, payload);
      return events.filter((event) => event.roomId === roomId && hasRealTimes(event)).map((event) => RoomEvent.of(event));
    } catch (error) {
      if (!this.#malformedTold) this.#reportFault(new Error("A hint from another node cannot be read", { cause: error }));
      this.#malformedTold = true;
      return [];
    }
  }
}

/** Whether all times in a message are from the years 1 to 9999. Others cannot be written as JSON, which readers would find out. */
function hasRealTimes(message: object): boolean {
  if (isMessage(message, TimestampSchema))
    return message.seconds >= -62_135_596_800n && message.seconds <= 253_402_300_799n && message.nanos >= 0 && message.nanos < 1e9;
  return Object.values(message).every(
    (value) => typeof value !== "object" || value === null || ArrayBuffer.isView(value) || hasRealTimes(value),
  );
}

function topicOf(roomId: string): string {
  return `room:${roomId}`;
}
