/** A place in a room's log: the last `seq` that was delivered. Plain data, to be kept by an application. */
export interface Cursor {
  readonly roomId: string;
  /** 0 for the very beginning. */
  readonly seq: number;
}

/** How far the stream has come in one room. */
export interface Place {
  readonly seq: number;
  /** The caller's read marker, as far as it is known. */
  readonly readSeq: number;
  /** The room was entered just now: its first event may be one that `seq` counts already, such as the entry itself. */
  readonly fresh: boolean;
}

/** The contract's limit of rooms in a hello. */
const MAX_RESUMED = 1000;
/** Before it knows who is there, a server reads no more than this. */
const MAX_HELLO_BYTES = 16 * 1024;
/** `{"roomId":"...","seq":4294967295},`: protobuf takes less. */
const BYTES_PER_CURSOR = 67;
const BYTES_AROUND = 256;

/** The place in each room, those that moved last at the end. */
export class Cursors {
  readonly #places = new Map<string, Place>();

  get(roomId: string): Place | undefined {
    return this.#places.get(roomId);
  }

  get roomIds(): string[] {
    return [...this.#places.keys()];
  }

  enter(roomId: string, place: Place): void {
    this.#places.delete(roomId);
    this.#places.set(roomId, place);
  }

  /** Everything up to this `seq` has been delivered, or is known to be lost. */
  advance(roomId: string, seq: number): void {
    this.enter(roomId, { seq, readSeq: this.#places.get(roomId)?.readSeq ?? 0, fresh: false });
  }

  /** Moves the read marker; false when it was there already. */
  markRead(roomId: string, readSeq: number): boolean {
    const place = this.#places.get(roomId);
    if (place === undefined || readSeq <= place.readSeq) return false;
    this.#places.set(roomId, { ...place, readSeq });
    return true;
  }

  /** False when the room was not known. */
  leave(roomId: string): boolean {
    return this.#places.delete(roomId);
  }

  clear(): void {
    this.#places.clear();
  }

  all(): Cursor[] {
    return Array.from(this.#places, ([roomId, { seq }]) => ({ roomId, seq }));
  }

  /** The rooms to name in a hello with this token: as many of those that moved last as a hello holds. */
  toResume(token: string): Cursor[] {
    const fitting = Math.floor((MAX_HELLO_BYTES - BYTES_AROUND - token.length) / BYTES_PER_CURSOR);
    return this.all().slice(-Math.max(1, Math.min(MAX_RESUMED, fitting)));
  }
}
