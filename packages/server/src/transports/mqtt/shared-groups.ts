/** The connections of one person, on this node, that share a subscription (MQTT 5, section 4.8.2). */
class SharedGroup {
  readonly members: object[] = [];

  /** Each event is for one member; which one follows from its `seq`, so that members need not ask each other. */
  memberFor(seq: number): object | undefined {
    return this.members[seq % this.members.length];
  }
}

/** One connection's part in a group. */
export interface Share {
  /** Whether the event of this `seq` is for this connection. */
  has(seq: number): boolean;
  leave(): void;
}

/** The groups of this node. A group is its person's: others may use the same name. */
export class SharedGroups {
  readonly #groups = new Map<string, SharedGroup>();

  /** Makes a connection a member of the group of a shared filter. */
  join(userId: string, filter: string, member: object): Share {
    const name = `${userId} ${filter}`;
    const group = this.#groups.get(name) ?? new SharedGroup();
    this.#groups.set(name, group);
    group.members.push(member);
    return {
      has: (seq) => group.memberFor(seq) === member,
      leave: () => {
        const at = group.members.indexOf(member);
        if (at >= 0) group.members.splice(at, 1);
        if (group.members.length === 0 && this.#groups.get(name) === group) this.#groups.delete(name);
      },
    };
  }
}
