import type { Bus } from "./bus.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Publishes something that JSON can say. */
export function publishWord(bus: Bus, topic: string, word: unknown): void {
  bus.publish(topic, encoder.encode(JSON.stringify(word)));
}

/** Listens for such words until the returned function is called. One that cannot be read, or makes no sense, counts as lost. */
export function subscribeWords<W>(bus: Bus, topic: string, hear: (word: W) => void, onGap: () => void): () => void {
  const receive = (payload: Uint8Array): void => {
    try {
      hear(JSON.parse(decoder.decode(payload)) as W);
    } catch {
      onGap();
    }
  };
  return bus.subscribe(topic, receive, onGap);
}
