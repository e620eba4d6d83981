// How long a message takes from its acknowledgement to members on other nodes, in a room where one node alone writes: where the
// others write too, they come upon what they have missed.
import assert from "node:assert/strict";
import { setTimeout as later } from "node:timers/promises";
import { MessagesService, Room_Visibility, RoomsService } from "@parlor/contract";
import { type Reader, readByClient } from "../crash/readers.ts";
import type { ChildNodes } from "../support/child-nodes.ts";
import type { Person } from "../support/drivers/driver.ts";

/** Between two messages (milliseconds). */
const everyMs = 50;

export class Probe implements Disposable {
  /** When each message was acknowledged, by `seq`. */
  readonly #acks = new Map<number, number>();
  /** By reader: when each `seq` came. */
  readonly #heard: Map<number, number>[];
  readonly #readers: readonly Reader[];
  readonly #writer: Person;
  readonly #roomId: string;
  readonly #start: number;
  readonly #writing: Promise<void>;
  #stopped = false;

  private constructor(writer: Person, roomId: string, start: number, readers: readonly Reader[]) {
    this.#writer = writer;
    this.#roomId = roomId;
    this.#start = start;
    this.#readers = readers;
    this.#heard = readers.map(({ heard }) => {
      const at = new Map<number, number>();
      heard.onItem(({ seq }) => at.set(seq, performance.now()));
      return at;
    });
    this.#writing = this.#write();
    this.#writing.catch(() => undefined);
  }

  /** Somebody on the first node writes, others on the other nodes read. */
  static async start(nodes: ChildNodes, name: string): Promise<Probe> {
    const writer = await nodes.driver(0, 1).signUp(`${name}-writer`);
    const members = await Promise.all(nodes.ports.slice(1).map((_, n) => nodes.driver(n + 1, 1).signUp(`${name}-reader-${n}`)));
    const memberIds = members.map(({ user }) => user.id);
    const { room } = await writer.call(RoomsService.method.createRoom, { name: "Probe", visibility: Room_Visibility.PRIVATE, memberIds });
    const [roomId, start] = [room?.id ?? "", room?.lastSeq ?? 0];
    const readers = await Promise.all(
      members.map(({ token }, n) => readByClient(nodes.urls[n + 1] as string, "proto", token, roomId, start)),
    );
    for (const member of members) member.close();
    return new Probe(writer, roomId, start, readers);
  }

  /** Ends the writing, and waits for all of it. @throws AssertionError when something is missing, doubled or out of order */
  async finish(): Promise<void> {
    this.#stopped = true;
    await this.#writing;
    const last = Math.max(...this.#acks.keys());
    for (const { heard } of this.#readers) {
      await heard.until((events) => (events.at(-1)?.seq ?? 0) >= last);
      assert.deepEqual(
        heard.items.map(({ seq }) => seq),
        Array.from({ length: last - this.#start }, (_, n) => this.#start + n + 1),
      );
    }
  }

  /** Milliseconds from acknowledgement to delivery of what was acknowledged between two times, rising. */
  between(from: number, to: number): number[] {
    const times: number[] = [];
    for (const [seq, ack] of this.#acks) {
      if (ack < from || ack > to) continue;
      for (const heard of this.#heard) times.push(Math.max(0, (heard.get(seq) ?? Number.POSITIVE_INFINITY) - ack));
    }
    return times.sort((a, b) => a - b);
  }

  [Symbol.dispose](): void {
    this.#stopped = true;
    this.#writer.close();
    for (const reader of this.#readers) reader.close();
  }

  async #write(): Promise<void> {
    for (let n = 1; !this.#stopped; n++) {
      const { message } = await this.#writer.call(MessagesService.method.sendMessage, { roomId: this.#roomId, text: `probe ${n}` });
      this.#acks.set(message?.seq ?? 0, performance.now());
      await later(everyMs);
    }
  }
}

/** The value below which so many of a hundred are; `sorted` rises. */
export function percentile(sorted: readonly number[], percent: number): number {
  return sorted[Math.min(sorted.length - 1, Math.ceil((sorted.length * percent) / 100) - 1)] ?? Number.NaN;
}
