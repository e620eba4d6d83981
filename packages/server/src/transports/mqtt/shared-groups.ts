import { isId, isListOf, isRecord } from "../../domain/checks.ts";
import { newId } from "../../domain/ids.ts";
import type { Bus } from "../../ports/bus.ts";
import { Peers, type Subject } from "../../realtime/peers.ts";
import { TurnQueue } from "../../realtime/turn-queue.ts";
import { SharedGroup } from "./shared-group.ts";
import { maxFilter } from "./topics.ts";

/** What a node tells of a group: its members there. */
export interface GroupThere {
  readonly userId: string;
  readonly filter: string;
  /** Ids, one for each subscription. */
  readonly members: readonly string[];
}

/** One connection's part in a group. */
export interface Share {
  /** Whether the event of this `seq` of a room is for this connection. */
  has(roomId: string, seq: number): boolean;
  leave(): void;
}

/** How often the other nodes are told that this one is there (milliseconds), at most. */
const sweepMs = 1000;

/**
 * The shared subscriptions of all nodes (MQTT 5, section 4.8.2). A group is its person's: others may use the same name. Every node
 * knows the members on all nodes by gossip, and chooses alike.
 */
export class SharedGroups implements Subject<GroupThere> {
  readonly topic = "mqtt-groups";
  readonly #groups = new Map<string, SharedGroup>();
  readonly #peers: Peers<GroupThere> | undefined;
  readonly #sweep: NodeJS.Timeout | undefined;

  /** @param bus by which other nodes are heard of; left out where there are none */
  constructor(bus: Bus | undefined, now: () => number) {
    if (!bus) return;
    const peers = new Peers(bus, new TurnQueue(), now, this);
    peers.start();
    this.#peers = peers;
    this.#sweep = setInterval(() => peers.sweep(), sweepMs).unref();
  }

  close(): void {
    clearInterval(this.#sweep);
    this.#peers?.stop();
  }

  /** Makes a new member of the group of a shared filter. */
  join(userId: string, filter: string): Share {
    const memberId = newId();
    const group = this.#of(userId, filter);
    group.join(memberId);
    this.#peers?.tell(thereOf(group));
    return {
      has: (roomId, seq) => group.memberFor(roomId, seq) === memberId,
      leave: () => {
        group.leave(memberId);
        this.#drop(group);
        this.#peers?.tell(thereOf(group));
      },
    };
  }

  // What other nodes tell.

  isEntry(value: unknown): value is GroupThere {
    if (!isRecord(value)) return false;
    const { userId, filter, members } = value;
    return isId(userId) && typeof filter === "string" && filter.length <= maxFilter && isListOf(members, isId);
  }

  keyOf({ userId, filter }: GroupThere): string {
    return nameOf(userId, filter);
  }

  told(nodeId: string, groups: readonly GroupThere[], whole: boolean): void {
    const named = new Set(groups.map((group) => this.keyOf(group)));
    if (whole) for (const group of this.#groups.values()) if (!named.has(nameOf(group.userId, group.filter))) this.#hear(nodeId, group, []);
    for (const { userId, filter, members } of groups) this.#hear(nodeId, this.#of(userId, filter), members);
  }

  lost(nodeId: string): void {
    for (const group of this.#groups.values()) this.#hear(nodeId, group, []);
  }

  here(): GroupThere[] {
    return [...this.#groups.values()].filter(({ here }) => here.size > 0).map(thereOf);
  }

  #hear(nodeId: string, group: SharedGroup, members: readonly string[]): void {
    group.there(nodeId, members);
    this.#drop(group);
  }

  #of(userId: string, filter: string): SharedGroup {
    const key = nameOf(userId, filter);
    const group = this.#groups.get(key) ?? new SharedGroup(userId, filter);
    this.#groups.set(key, group);
    return group;
  }

  #drop(group: SharedGroup): void {
    if (group.isEmpty) this.#groups.delete(nameOf(group.userId, group.filter));
  }
}

function nameOf(userId: string, filter: string): string {
  return `${userId} ${filter}`;
}

function thereOf({ userId, filter, here }: SharedGroup): GroupThere {
  return { userId, filter, members: [...here] };
}
