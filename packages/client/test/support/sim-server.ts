import { create } from "@bufbuild/protobuf";
import {
  type ClientFrame,
  Code,
  type Event,
  encodeJson,
  Goodbye_Reason,
  ListEventsResponseSchema,
  MessageSchema,
  Reason,
  type SendMessageRequest,
  Welcome_Outcome,
} from "@parlor/contract";
import { ME, sent } from "./events.ts";
import type { ManualClock } from "./manual-clock.ts";
import type { SimPeer } from "./sim-network.ts";

/** More than this is not resumed: it is a gap. */
const MAX_MISSED = 12;
const PAGE = 5;

/** A server that keeps the contract on a network that does everything networks do, and that itself misbehaves now and then. */
export class SimServer {
  readonly logs: ReadonlyMap<string, Event[]>;
  /** Whether anything goes wrong. */
  troubled = true;
  readonly #clock: ManualClock;
  readonly #random: () => number;
  readonly #live = new Set<SimPeer>();
  readonly #byKey = new Map<string, Event>();

  constructor(roomIds: readonly string[], clock: ManualClock, random: () => number) {
    this.logs = new Map(roomIds.map((roomId) => [roomId, []]));
    this.#clock = clock;
    this.#random = random;
  }

  readonly accept = (peer: SimPeer): void => {
    peer.onGone = () => this.#live.delete(peer);
    peer.onFrame = (frame) => this.#receive(peer, frame);
    if (this.#chance(0.05)) peer.cut();
  };

  /** Somebody else writes. */
  write(roomId: string): void {
    this.#append(roomId, "theirs", "");
  }

  /** Something happens to the connection. */
  disturb(): void {
    for (const peer of [...this.#live]) {
      const luck = this.#random();
      if (luck < 0.5) peer.cut();
      else if (luck < 0.6) peer.mute();
      else this.#sayGoodbye(peer);
    }
  }

  /** ListEvents, over HTTP. */
  readonly fetch = (url: string | URL | Request, { signal }: RequestInit = {}): Promise<Response> =>
    new Promise((resolve, reject) => {
      signal?.addEventListener("abort", () => reject(signal.reason));
      this.#clock.after(this.#random() * 20, () => {
        const luck = this.troubled ? this.#random() : 1;
        if (luck < 0.1) reject(new TypeError("network"));
        else resolve(luck < 0.2 ? plainResponse(503, "") : plainResponse(200, this.#page(new URL(String(url)))));
      });
    });

  #page(url: URL): string {
    const roomId = url.pathname.split("/").at(-2) as string;
    const after = Number(url.searchParams.get("after_seq") ?? 0);
    const events = this.#log(roomId).slice(after, after + PAGE);
    return encodeJson(ListEventsResponseSchema, create(ListEventsResponseSchema, { events }));
  }

  #receive(peer: SimPeer, { id, kind }: ClientFrame): void {
    if (kind.case === "hello") this.#welcome(peer, new Map(kind.value.resume.map(({ roomId, seq }) => [roomId, seq])));
    else if (kind.case === "ping") peer.send({ replies: [{ id, result: { case: "pong", value: {} } }] });
    else if (kind.case === "send") this.#send(peer, id, kind.value);
    else throw new Error(`unexpected ${kind.case}`);
  }

  #welcome(peer: SimPeer, cursors: ReadonlyMap<string, number>): void {
    const rooms = Array.from(this.logs, ([roomId, { length: lastSeq }]) => ({
      roomId,
      lastSeq,
      ...outcomeOf(cursors.get(roomId), roomId, lastSeq),
    }));
    peer.send({ welcome: { heartbeatMs: 25_000, user: { id: ME }, rooms } });
    for (const { roomId, outcome } of rooms) {
      if (outcome !== Welcome_Outcome.RECOVERED) continue;
      const missed = this.#log(roomId).slice(cursors.get(roomId));
      for (let from = 0; from < missed.length; from += 3) peer.send({ events: missed.slice(from, from + 3) });
    }
    this.#live.add(peer);
  }

  #send(peer: SimPeer, id: number, request: SendMessageRequest): void {
    const known = this.#byKey.get(request.clientMessageId);
    if (known !== undefined) this.#acknowledge(peer, id, known, true);
    else if (this.#chance(0.05)) peer.cut();
    else if (this.#chance(0.1)) this.#refuse(peer, id);
    else this.#acknowledge(peer, id, this.#append(request.roomId, request.text, request.clientMessageId), false);
  }

  /** Stored is stored, even when nobody hears of it. */
  #acknowledge(peer: SimPeer, id: number, { kind }: Event, duplicate: boolean): void {
    const message = (kind.case === "messageSent" ? kind.value.message : undefined) ?? create(MessageSchema);
    const reply = { id, result: { case: "send", value: { message, duplicate } } } as const;
    if (this.#chance(0.1)) peer.cut();
    else peer.send({ replies: this.#chance(0.1) ? [reply, reply] : [reply] });
  }

  #refuse(peer: SimPeer, id: number): void {
    const error =
      this.#random() < 0.5
        ? { code: Code.UNAVAILABLE, reason: Reason.STORE_UNAVAILABLE }
        : { code: Code.RESOURCE_EXHAUSTED, reason: Reason.RATE_LIMITED, retryAfterMs: 50 };
    peer.send({ replies: [{ id, result: { case: "error", value: error } }] });
  }

  #append(roomId: string, text: string, clientMessageId: string): Event {
    const log = this.#log(roomId);
    const event = sent(log.length + 1, text, { roomId, clientMessageId });
    log.push(event);
    if (clientMessageId !== "") this.#byKey.set(clientMessageId, event);
    for (const peer of this.#live) this.#tell(peer, log, event);
    return event;
  }

  /** Mostly as it should; sometimes twice, late ones again, or not at all. */
  #tell(peer: SimPeer, log: readonly Event[], event: Event): void {
    const luck = this.troubled ? this.#random() : 1;
    if (luck < 0.05) return;
    const older = log[Math.floor(this.#random() * log.length)] as Event;
    peer.send({ events: luck < 0.1 ? [event, event] : luck < 0.15 ? [event, older] : [event] });
  }

  #sayGoodbye(peer: SimPeer): void {
    const reasons = [Goodbye_Reason.SHUTDOWN, Goodbye_Reason.SLOW_CONSUMER, Goodbye_Reason.INTERNAL];
    const reason = reasons[Math.floor(this.#random() * reasons.length)] as Goodbye_Reason;
    peer.send({ goodbye: { reason, reconnect: true, reconnectAfterMs: Math.floor(this.#random() * 2) * 500 } });
    this.#live.delete(peer);
  }

  #log(roomId: string): Event[] {
    return this.logs.get(roomId) as Event[];
  }

  #chance(share: number): boolean {
    return this.troubled && this.#random() < share;
  }
}

function outcomeOf(cursor: number | undefined, roomId: string, lastSeq: number) {
  if (cursor === undefined) return { outcome: Welcome_Outcome.OUTCOME_UNSPECIFIED };
  if (lastSeq - cursor <= MAX_MISSED) return { outcome: Welcome_Outcome.RECOVERED };
  return { outcome: Welcome_Outcome.GAP, gap: { roomId, from: cursor + 1, to: lastSeq } };
}

/** The parts of a response that the client reads, without the turns of the event loop that a real body takes. */
function plainResponse(status: number, body: string): Response {
  return { ok: status === 200, status, headers: new Headers(), text: () => Promise.resolve(body) } as Response;
}
