import { type Bus, type BusState, busState } from "../ports/bus.ts";
import type { TraceParent, Tracing } from "../ports/tracing.ts";

// Before a payload that belongs to a trace goes this byte, the traceparent in ASCII, and a line feed. What is published begins with
// it only by chance; then it gets an empty traceparent, so that every payload arrives as it was.
const MARK = 0;
const END = 0x0a;
/** More than the 55 characters of a traceparent, less than what is worth looking through. */
const LONGEST = 64;

/**
 * A bus that carries traces from node to node. Nodes with and without tracing understand each other: without it (`undefined`), what
 * others have put before their payloads is taken off.
 */
export function tracedBus(bus: Bus, tracing: Tracing | undefined): Bus & { readonly state: BusState | undefined } {
  return {
    get state() {
      return busState(bus);
    },
    publish(topic, payload) {
      const from = tracing?.current();
      if (tracing === undefined || from === undefined) return bus.publish(topic, payload[0] === MARK ? marked("", payload) : payload);
      const attributes = { "messaging.destination.name": topic };
      tracing.span(`publish ${kindOf(topic)}`, { kind: "producer", attributes }, ({ traceparent }) =>
        bus.publish(topic, marked(traceparent, payload)),
      );
    },
    subscribe(topic, handler, onGap) {
      const heard = (bytes: Uint8Array): void => {
        const { from, payload } = unmarked(bytes);
        if (tracing === undefined) handler(payload);
        else if (from === "") tracing.outside(() => handler(payload));
        else receive(tracing, topic, from, () => handler(payload));
      };
      return bus.subscribe(topic, heard, onGap);
    },
    close: () => bus.close(),
  };
}

function receive(tracing: Tracing, topic: string, from: TraceParent, work: () => void): void {
  tracing.span(`receive ${kindOf(topic)}`, { kind: "consumer", from, attributes: { "messaging.destination.name": topic } }, work);
}

/** The kind of a topic: "room" of "room:ID". */
function kindOf(topic: string): string {
  return topic.split(":", 1)[0] as string;
}

function marked(from: TraceParent, payload: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.of(MARK), Buffer.from(from, "latin1"), Buffer.of(END), payload]);
}

function unmarked(bytes: Uint8Array): { readonly from: TraceParent; readonly payload: Uint8Array } {
  const end = bytes[0] === MARK ? bytes.subarray(0, LONGEST).indexOf(END) : -1;
  if (end < 0) return { from: "", payload: bytes };
  return { from: Buffer.from(bytes.subarray(1, end)).toString("latin1"), payload: bytes.subarray(end + 1) };
}
