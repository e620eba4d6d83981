import type { ParlorError } from "@parlor/contract";

/** Publications under way before the next packet is read. */
const maxWaiting = 512;
/** Bytes kept for them, and for answers that wait for earlier ones, before the next packet is read. */
const maxWaitingBytes = 512 * 1024;

/** What became of a PUBLISH. */
export type Outcome = { readonly answer: string } | { readonly error: ParlorError; readonly reasonCode?: number };

/** A PUBLISH that waits for what becomes of it. */
export interface Publication {
  readonly qos: 0 | 1 | 2;
  /** 0 for QoS 0, which is not acknowledged. */
  readonly packetId: number;
  readonly topic: string;
  readonly responseTopic: string | undefined;
  readonly correlationData: Buffer | undefined;
}

interface Waiting {
  readonly publication: Publication;
  readonly since: number;
  outcome: Outcome | undefined;
}

/** Publications in the order in which they came, which is the order of their PUBACKs and PUBRECs (MQTT 5, section 4.6). */
export class Unanswered {
  readonly #waiting = new Map<number, Waiting>();
  readonly #packetIds = new Set<number>();
  /** Identifiers of QoS 2 that were received and are not released: what comes with them now was sent again (section 4.3.3). */
  #received: Set<number> | undefined;
  #lastId = 0;
  #bytes = 0;

  /** Whether no more of them should be taken for now. */
  get isFull(): boolean {
    return this.#waiting.size >= maxWaiting || this.#bytes >= maxWaitingBytes;
  }

  /** How many of them wait for a PUBACK or PUBREC, or are not released after it. */
  get unacknowledged(): number {
    return this.#packetIds.size + (this.#received?.size ?? 0);
  }

  /** When the oldest of them came (milliseconds since 1970); undefined when there is none. */
  get oldestSince(): number | undefined {
    return this.#waiting.values().next().value?.since;
  }

  /** Whether its client wants to be told more than that it is done. */
  wantsAnswer(id: number): boolean {
    return this.#waiting.get(id)?.publication.responseTopic !== undefined;
  }

  isInUse(packetId: number): boolean {
    return this.#packetIds.has(packetId);
  }

  isReceived(packetId: number): boolean {
    return this.#received?.has(packetId) ?? false;
  }

  /** A PUBREC said that a publication was received. */
  received(packetId: number): void {
    this.#received ??= new Set();
    this.#received.add(packetId);
  }

  /** Its client knows that: the identifier may be used for another one. */
  release(packetId: number): void {
    this.#received?.delete(packetId);
  }

  /** Returns the number under which its outcome is told. */
  add(publication: Publication): number {
    this.#lastId = (this.#lastId % 0xffff_ffff) + 1;
    this.#waiting.set(this.#lastId, { publication, since: Date.now(), outcome: undefined });
    this.#bytes += publicationBytes(publication);
    if (publication.packetId > 0) this.#packetIds.add(publication.packetId);
    return this.#lastId;
  }

  /** Takes an outcome; the publications that can be answered now, in order. */
  settle(id: number, outcome: Outcome): (readonly [Publication, Outcome])[] {
    const settled = this.#waiting.get(id);
    if (settled && !settled.outcome) {
      settled.outcome = outcome;
      this.#bytes += answerBytes(outcome);
    }
    const ready: (readonly [Publication, Outcome])[] = [];
    for (const [first, one] of this.#waiting) {
      if (!one.outcome) break;
      this.#waiting.delete(first);
      this.#bytes -= publicationBytes(one.publication) + answerBytes(one.outcome);
      this.#packetIds.delete(one.publication.packetId);
      ready.push([one.publication, one.outcome]);
    }
    return ready;
  }
}

function publicationBytes({ topic, responseTopic, correlationData }: Publication): number {
  return topic.length + (responseTopic?.length ?? 0) + (correlationData?.length ?? 0);
}

function answerBytes(outcome: Outcome): number {
  return "answer" in outcome ? outcome.answer.length : 0;
}
