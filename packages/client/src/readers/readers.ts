import type { Event, Gap, Message, MyRoom, ParlorError, RoomExited_Cause, Welcome } from "@parlor/contract";
import type { StateChange, StreamHost } from "../stream/stream.ts";
import { EventBuffer, type EventsOptions } from "./event-buffer.ts";
import { Listeners } from "./listeners.ts";

/** What `on` can listen to. */
export interface Happenings {
  /** Every event, durable, ephemeral and personal. */
  readonly event: Event;
  /** A message was sent in a room, by anyone. */
  readonly message: Message;
  /** These events will not come; read the room anew. Never happens with `fillGaps` unless they are gone from the server. */
  readonly gap: Gap;
  /** The state of the stream changed. */
  readonly state: StateChange;
  /** A connection is open: the caller's rooms, their ends and read markers. */
  readonly welcome: Welcome;
  /** The caller is in another room. `room` is left out when it was entered while there was no connection: see GetRoom. */
  readonly roomEntered: { readonly roomId: string; readonly room: MyRoom | undefined };
  /** The caller is no longer in a room. The cause is unspecified when it happened while there was no connection. */
  readonly roomExited: { readonly roomId: string; readonly cause: RoomExited_Cause };
}

/** Everyone in this program who reads the stream. */
export class Readers implements StreamHost {
  readonly #listeners = new Listeners<Happenings>();
  readonly #buffers = new Set<EventBuffer>();
  #emptied: PromiseWithResolvers<void> | undefined;

  on<K extends keyof Happenings>(name: K, listener: (value: Happenings[K]) => void): () => void {
    return this.#listeners.on(name, listener);
  }

  /** A loop over what comes from now on. */
  events(options: EventsOptions): EventBuffer {
    const buffer = new EventBuffer(options, () => {
      if (buffer.ended) this.#buffers.delete(buffer);
      if (this.#full) return;
      this.#emptied?.resolve();
      this.#emptied = undefined;
    });
    if (!buffer.ended) this.#buffers.add(buffer);
    return buffer;
  }

  readersFull(): Promise<void> | undefined {
    if (!this.#full) return undefined;
    this.#emptied ??= Promise.withResolvers();
    return this.#emptied.promise;
  }

  get #full(): boolean {
    for (const buffer of this.#buffers) if (buffer.full) return true;
    return false;
  }

  event(event: Event): void {
    for (const buffer of this.#buffers) buffer.event(event);
    this.#listeners.emit("event", event);
    const { roomId, kind } = event;
    if (kind.case === "messageSent" && kind.value.message !== undefined) this.#listeners.emit("message", kind.value.message);
    else if (kind.case === "roomEntered") this.#listeners.emit("roomEntered", { roomId, room: kind.value.room });
    else if (kind.case === "roomExited") this.#listeners.emit("roomExited", { roomId, cause: kind.value.cause });
  }

  gap(gap: Gap): void {
    for (const buffer of this.#buffers) buffer.gap(gap);
    this.#listeners.emit("gap", gap);
  }

  welcome(welcome: Welcome): void {
    this.#listeners.emit("welcome", welcome);
  }

  /** Loops end with the stream: quietly when this side closed it, else with its error. */
  state(change: StateChange): void {
    if (change.state === "closed") this.#endAll(change.error);
    this.#listeners.emit("state", change);
  }

  #endAll(error: ParlorError | undefined): void {
    for (const buffer of [...this.#buffers]) buffer.end(error);
  }
}
