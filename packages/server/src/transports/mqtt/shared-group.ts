import { packetIdOf } from "./packet-ids.ts";

interface Member {
  readonly id: string;
  readonly seed: number;
}

/** The connections that share a subscription, on all nodes. */
export class SharedGroup {
  readonly userId: string;
  readonly filter: string;
  /** Ids of the members on this node. */
  readonly here = new Set<string>();
  /** On the others, by node. */
  readonly #elsewhere = new Map<string, readonly string[]>();
  #members: readonly Member[] = [];

  constructor(userId: string, filter: string) {
    this.userId = userId;
    this.filter = filter;
  }

  get isEmpty(): boolean {
    return this.#members.length === 0;
  }

  join(memberId: string): void {
    this.here.add(memberId);
    this.#change();
  }

  leave(memberId: string): void {
    this.here.delete(memberId);
    this.#change();
  }

  /** Another node has these members now. */
  there(nodeId: string, memberIds: readonly string[]): void {
    if (memberIds.length === 0 && !this.#elsewhere.has(nodeId)) return;
    this.#elsewhere.delete(nodeId);
    if (memberIds.length > 0) this.#elsewhere.set(nodeId, memberIds);
    this.#change();
  }

  /**
   * Whom an event is for. Each member has a weight for each event, and the heaviest gets it (rendezvous hashing): whoever comes takes
   * only what it gets itself, and what was somebody's who went is shared by the others. So nodes that do not know of a change yet
   * differ in that member's events alone.
   */
  memberFor(roomId: string, seq: number): string | undefined {
    const place = mix(packetIdOf(roomId, seq) * 0x1_0001 + seq);
    let best: Member | undefined;
    let heaviest = -1;
    for (const member of this.#members) {
      const weight = mix(member.seed ^ place);
      if (weight > heaviest) [best, heaviest] = [member, weight];
    }
    return best?.id;
  }

  /** Sorted, so that of equal weights every node takes the same. */
  #change(): void {
    const ids = new Set([...this.here, ...[...this.#elsewhere.values()].flat()]);
    this.#members = [...ids].sort().map((id) => ({ id, seed: Number.parseInt(id.slice(-8), 16) }));
  }
}

/** Numbers that differ in little become such that have nothing in common (the last step of MurmurHash3); 32 bits. */
function mix(value: number): number {
  let bits = value | 0;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85eb_ca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2_ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}
