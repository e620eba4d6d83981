// A bus's connections to Redis from the moment they stand until the first of them fails, which ends all.
import { setTimeout as delay } from "node:timers/promises";
import type { LinkHandlers } from "./redis-link.ts";
import { openPrimaries, type Primaries } from "./redis-primaries.ts";
import type { RedisPlace } from "./redis-url.ts";

/** Channels named by one command. */
const channelsPerCommand = 500;
/** How often a cluster is asked where its slots are (milliseconds): not every move of a slot shows by itself. */
const shapeCheckMs = 5000;

export class RedisSession {
  /** Resolves with the reason when the session has ended by itself or was closed. */
  readonly ended: Promise<Error>;
  readonly #primaries: Primaries;
  readonly #resolveEnded: (reason: Error) => void;
  readonly #over = new AbortController();
  readonly #subscribed = new Set<string>();
  /** Bytes that Redis has not acknowledged. */
  #pendingBytes = 0;

  private constructor(primaries: Primaries, lost: Promise<Error>) {
    this.#primaries = primaries;
    const ended = Promise.withResolvers<Error>();
    this.ended = ended.promise;
    this.#resolveEnded = ended.resolve;
    void lost.then((reason) => this.#end(reason));
    void this.#watchShape();
  }

  /** @throws Error why Redis cannot be reached */
  static async open(place: RedisPlace, message: LinkHandlers["message"]): Promise<RedisSession> {
    const loss = Promise.withResolvers<Error>();
    return new RedisSession(await openPrimaries(place, { message, lost: loss.resolve }), loss.promise);
  }

  get isOver(): boolean {
    return this.#over.signal.aborted;
  }

  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /** Calls back if Redis has not taken it. */
  publish(channel: string, payload: Buffer, refused: () => void): void {
    this.#pendingBytes += payload.length;
    this.#primaries
      .linkOf(channel)
      .publish(channel, payload)
      .catch((error: Error) => {
        refused();
        if (isMisplaced(error)) this.#end(new Error("a slot of the cluster has another server now"));
      })
      .finally(() => {
        this.#pendingBytes -= payload.length;
      });
  }

  /** Makes the subscriptions of these channels what is wanted. Resolves with the new ones when Redis has confirmed; a refusal ends the session. */
  async settle(channels: Iterable<string>, wanted: (channel: string) => boolean): Promise<readonly string[]> {
    const coming: string[] = [];
    const going: string[] = [];
    for (const channel of channels) {
      if (wanted(channel) === this.#subscribed.has(channel)) continue;
      if (this.#subscribed.delete(channel)) going.push(channel);
      else coming.push(channel);
    }
    for (const channel of coming) this.#subscribed.add(channel);
    const { linkOf } = this.#primaries;
    const commands = [
      ...this.#groups(going).map((group) => linkOf(group[0]).unsubscribe(group)),
      ...this.#groups(coming).map((group) => linkOf(group[0]).subscribe(group)),
    ];
    await Promise.all(commands).catch((error: Error) => this.#end(error));
    return coming;
  }

  close(): void {
    this.#end(new Error("closed"));
  }

  #end(reason: Error): void {
    this.#over.abort();
    for (const link of this.#primaries.links) link.close();
    this.#resolveEnded(reason);
  }

  #groups(channels: readonly string[]): Array<[string, ...string[]]> {
    const open = new Map<number, [string, ...string[]]>();
    const groups: Array<[string, ...string[]]> = [];
    for (const channel of channels) {
      const key = this.#primaries.groupOf(channel);
      const group = open.get(key);
      if (group && group.length < channelsPerCommand) {
        group.push(channel);
        continue;
      }
      const fresh: [string] = [channel];
      open.set(key, fresh);
      groups.push(fresh);
    }
    return groups;
  }

  async #watchShape(): Promise<void> {
    const { signal } = this.#over;
    while (!signal.aborted) {
      try {
        await delay(shapeCheckMs, undefined, { signal, ref: false });
        if (!(await this.#primaries.stillSo())) this.#end(new Error("the cluster has changed"));
      } catch (error) {
        this.#end(error as Error);
      }
    }
  }
}

/** What a server says that is not the primary of a slot, or not any more. */
function isMisplaced({ message }: Error): boolean {
  return /^(MOVED|ASK|CLUSTERDOWN|READONLY|CROSSSLOT)\b/.test(message);
}
