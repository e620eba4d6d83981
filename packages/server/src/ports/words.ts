import type { Check } from "../domain/checks.ts";
import type { Bus } from "./bus.ts";

/** How often at most words that make no sense count as lost (milliseconds): somebody else may be using the same channels. */
const gapEveryMs = 1000;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Publishes something that JSON can say. */
export function publishWord(bus: Bus, topic: string, word: unknown): void {
  bus.publish(topic, encoder.encode(JSON.stringify(word)));
}

/** Listens for such words until the returned function is called. One that cannot be read, or makes no sense, counts as lost. */
export function subscribeWords<W>(bus: Bus, topic: string, isWord: Check<W>, hear: (word: W) => void, onGap: () => void): () => void {
  let toldAt = Number.NEGATIVE_INFINITY;
  const receive = (payload: Uint8Array): void => {
    const word = read(payload);
    if (isWord(word)) {
      hear(word);
      return;
    }
    const now = performance.now();
    if (now - toldAt < gapEveryMs) return;
    toldAt = now;
    onGap();
  };
  return bus.subscribe(topic, receive, onGap);
}

function read(payload: Uint8Array): unknown {
  try {
    return JSON.parse(decoder.decode(payload));
  } catch {
    return undefined;
  }
}
