import { MARKER, TEXT } from "./text.ts";

const BYTES = Buffer.from(MARKER);

/**
 * Counts the messages in a stream of payload bytes by the marker with which each text begins.
 *
 * Searching every byte would cost the generator more than some servers need to send them. Two markers are at least a text
 * apart, and messages of one server differ in length by a few digits only; so the counter looks first where the next marker
 * is by the last distance, and searches only when it is not there. Spans may end anywhere, inside a marker too.
 */
export class MarkerCounter {
  /** Bytes since the last marker began; undefined before the first one. */
  #behind: number | undefined;
  /** How many bytes of a marker the stream ends with, so far. */
  #split = 0;
  #stride = 0;
  #smallest = Number.POSITIVE_INFINITY;

  /** Takes the next span of the stream and returns how many markers ended in it. */
  scan(bytes: Buffer, start: number, end: number): number {
    const from = this.#finishSplit(bytes, start, end);
    let found = from === undefined ? 0 : 1;
    let last = from ?? (this.#behind === undefined ? undefined : start - this.#behind);
    if (this.#split === 0) {
      for (let at = this.#next(bytes, last, start, end); at !== undefined; at = this.#next(bytes, last, start, end)) {
        // What came before the first marker may be as long as two messages, and would make them a stride.
        if (last !== undefined) this.#learn(at - last);
        found += 1;
        last = at;
      }
      this.#split = markerTail(bytes, last === undefined ? start : Math.max(start, last + BYTES.length), end);
    }
    if (last !== undefined) this.#behind = end - last;
    return found;
  }

  /** Where the marker began whose first bytes came before, once its last one is here. */
  #finishSplit(bytes: Buffer, start: number, end: number): number | undefined {
    let at = start;
    while (this.#split > 0 && at < end) {
      this.#split = bytes[at] === BYTES[this.#split] ? this.#split + 1 : 0;
      at += 1;
      if (this.#split === BYTES.length) {
        this.#split = 0;
        return at - BYTES.length;
      }
    }
    return undefined;
  }

  #next(bytes: Buffer, last: number | undefined, start: number, end: number): number | undefined {
    const guess = last === undefined || this.#stride === 0 ? undefined : last + this.#stride;
    if (guess !== undefined && guess >= start && isMarker(bytes, guess, end)) return guess;
    const from = last === undefined ? start : Math.max(start, last + TEXT.length);
    if (from + BYTES.length > end) return undefined;
    const at = bytes.subarray(0, end).indexOf(BYTES, from);
    return at < 0 ? undefined : at;
  }

  /** A distance in which two whole messages may lie is no safe guess. */
  #learn(distance: number): void {
    if (distance < this.#smallest) this.#smallest = distance;
    if (distance < this.#smallest + TEXT.length) this.#stride = distance;
  }
}

function isMarker(bytes: Buffer, at: number, end: number): boolean {
  if (at + BYTES.length > end) return false;
  for (let index = 0; index < BYTES.length; index++) {
    if (bytes[at + index] !== BYTES[index]) return false;
  }
  return true;
}

/** How many bytes of a marker the span ends with. */
function markerTail(bytes: Buffer, from: number, end: number): number {
  for (let length = Math.min(BYTES.length - 1, end - from); length > 0; length--) {
    let same = 0;
    while (same < length && bytes[end - length + same] === BYTES[same]) same += 1;
    if (same === length) return length;
  }
  return 0;
}
