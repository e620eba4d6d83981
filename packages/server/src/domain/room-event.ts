import { fromBinary, toBinary, toJson } from "@bufbuild/protobuf";
import { type Event, EventSchema } from "@parlor/contract";

/** An event with its representations, each made once, when first needed, and shared by all who read it. */
export class RoomEvent {
  readonly roomId: string;
  /** 0 for ephemeral and personal events. */
  readonly seq: number;
  #event: Event | undefined;
  #binary: Uint8Array | undefined;
  #json: string | undefined;

  private constructor(roomId: string, seq: number, event: Event | undefined, binary: Uint8Array | undefined) {
    this.roomId = roomId;
    this.seq = seq;
    this.#event = event;
    this.#binary = binary;
  }

  static of(event: Event): RoomEvent {
    return new RoomEvent(event.roomId, event.seq, event, undefined);
  }

  /** An event as the Store keeps it; it is decoded only if somebody needs it in another form. */
  static stored(roomId: string, seq: number, binary: Uint8Array): RoomEvent {
    return new RoomEvent(roomId, seq, undefined, binary);
  }

  get event(): Event {
    this.#event ??= fromBinary(EventSchema, this.#binary as Uint8Array);
    return this.#event;
  }

  get binary(): Uint8Array {
    this.#binary ??= toBinary(EventSchema, this.#event as Event);
    return this.#binary;
  }

  get json(): string {
    this.#json ??= JSON.stringify(toJson(EventSchema, this.event, { alwaysEmitImplicit: true }));
    return this.#json;
  }
}
