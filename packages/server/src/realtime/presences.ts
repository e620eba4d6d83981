import { create } from "@bufbuild/protobuf";
import { type Presence, PresenceSchema, Presence_Status as Status } from "@parlor/contract";
import type { Channels } from "./channels.ts";
import type { Peers, Subject } from "./peers.ts";
import { isPersonThere, type PersonThere } from "./person-there.ts";
import { PresenceReaders, type PresenceReadersOptions } from "./presence-readers.ts";
import type { Roster } from "./roster.ts";

export interface PresenceOptions extends PresenceReadersOptions {
  readonly awayAfterMs: number;
  readonly offlineAfterMs: number;
  /** These people were last seen at this time. */
  readonly lastSeen: (userIds: readonly string[], at: number) => void;
}

/** What is known of a person who is, or a moment ago was, connected to any node. */
interface Seen {
  shown: Status;
  /** What the person wants; ONLINE for "as it really is". */
  wished: Status;
  wishedAt: number;
  /** Whether the other nodes were told of activity here; undefined when they were told of nobody. */
  toldActive: boolean | undefined;
  /** What other nodes told, by node. */
  readonly elsewhere: Map<string, Pick<PersonThere, "connections" | "active">>;
  /** When the last connection of all ended; undefined while there is one. */
  goneAt: number | undefined;
  /** How long after it the person appears offline (milliseconds). */
  offlineAfterMs: number;
  /** The rooms at that time, if they are known. */
  rooms: readonly string[] | undefined;
}

/** How far the clocks of nodes may be apart (milliseconds): what is wished later than that is not believed. */
const clocksMs = 60_000;

/**
 * Who is there: a state per person, the best over all nodes, told to those who share a room when it changes. Every node has the
 * whole picture and tells its own readers.
 */
export class Presences implements Subject<PersonThere> {
  readonly topic = "presence";
  readonly isEntry = isPersonThere;
  readonly #options: PresenceOptions;
  readonly #roster: Roster;
  readonly #readers: PresenceReaders;
  readonly #seen = new Map<string, Seen>();
  readonly #gone = new Set<string>();
  #peers: Peers<PersonThere> | undefined;

  constructor(options: PresenceOptions, roster: Roster, channels: Channels) {
    this.#options = options;
    this.#roster = roster;
    this.#readers = new PresenceReaders(options, channels, (userId) => this.of(userId));
  }

  /** Shares what is known here with other nodes. */
  join(peers: Peers<PersonThere>): void {
    this.#peers = peers;
  }

  /** Connections of this person to other nodes. */
  connectionsElsewhere(userId: string): number {
    let sum = 0;
    for (const { connections } of this.#seen.get(userId)?.elsewhere.values() ?? []) sum += connections;
    return sum;
  }

  /** A connection of this person opened. */
  arrived(userId: string): void {
    const seen = this.#seen.get(userId) ?? this.#meet(userId);
    this.#isBack(userId, seen);
    this.#update(userId, seen);
    this.#announce(userId, seen);
  }

  /** A connection of this person ended, which followed these rooms. `offlineAfterMs`: what counts if it was the last; left out for as usual. */
  departed(userId: string, followed: readonly string[], offlineAfterMs?: number): void {
    const seen = this.#seen.get(userId);
    if (!seen) return;
    const rooms = this.#roomsHere(userId) ?? followed;
    if (!this.#roster.has(userId) && seen.elsewhere.size === 0) {
      const { now, lastSeen } = this.#options;
      this.#leaves(userId, seen, now(), rooms, offlineAfterMs);
      lastSeen([userId], now());
    }
    this.#update(userId, seen, rooms);
    this.#announce(userId, seen, rooms);
  }

  /** What a person wants to appear as. */
  wish(userId: string, status: Status): Presence {
    const seen = this.#seen.get(userId);
    if (seen) {
      seen.wished = status;
      seen.wishedAt = Math.max(this.#options.now(), seen.wishedAt + 1);
      this.#update(userId, seen);
      this.#announce(userId, seen);
    }
    return this.of(userId);
  }

  of(userId: string): Presence {
    return create(PresenceSchema, { userId, status: this.#seen.get(userId)?.shown ?? Status.OFFLINE });
  }

  /** A person did something: whoever was away is back. */
  active(userId: string): void {
    const seen = this.#seen.get(userId);
    if (seen && (seen.shown === Status.AWAY || seen.toldActive === false)) this.#refresh(userId, seen);
  }

  /** Looks who has gone away or offline; to be called every second or so. */
  sweep(): void {
    for (const userId of [...this.#roster.users(), ...this.#gone]) {
      const seen = this.#seen.get(userId);
      if (seen) this.#refresh(userId, seen);
    }
  }

  // What other nodes tell.

  told(nodeId: string, people: readonly PersonThere[], whole: boolean): void {
    const named = new Set(people.map(({ userId }) => userId));
    if (whole) for (const [userId, seen] of this.#seen) if (!named.has(userId)) this.#goneThere(nodeId, userId, seen, this.#options.now());
    for (const person of people) this.#toldOf(nodeId, person);
  }

  lost(nodeId: string, heardAt: number): void {
    const left: string[] = [];
    for (const [userId, seen] of this.#seen) if (this.#goneThere(nodeId, userId, seen, heardAt)) left.push(userId);
    if (left.length > 0 && this.#peers?.isFirst) this.#options.lastSeen(left, heardAt);
  }

  keyOf({ userId }: PersonThere): string {
    return userId;
  }

  /** Everybody who is connected to this node, without rooms. */
  here(): PersonThere[] {
    return this.#roster.users().flatMap((userId) => {
      const seen = this.#seen.get(userId);
      return seen ? [this.#personHere(userId, seen)] : [];
    });
  }

  #toldOf(nodeId: string, { userId, connections, active, wished, wishedAt, offlineAfterMs, rooms }: PersonThere): void {
    const seen = this.#seen.get(userId) ?? (connections > 0 ? this.#meet(userId) : undefined);
    if (!seen) return;
    if (wishedAt > seen.wishedAt && wishedAt < this.#options.now() + clocksMs) Object.assign(seen, { wished, wishedAt });
    if (connections > 0) {
      seen.elsewhere.set(nodeId, { connections, active });
      this.#isBack(userId, seen);
    } else if (seen.elsewhere.delete(nodeId) && !this.#isConnected(userId, seen)) {
      this.#leaves(userId, seen, this.#options.now(), rooms, offlineAfterMs);
    }
    this.#update(userId, seen, rooms);
  }

  /** Says whether that was the person's last node. */
  #goneThere(nodeId: string, userId: string, seen: Seen, at: number): boolean {
    if (!seen.elsewhere.delete(nodeId)) return false;
    const isLast = !this.#isConnected(userId, seen);
    if (isLast) this.#leaves(userId, seen, at, undefined);
    this.#update(userId, seen);
    return isLast;
  }

  // A person's state.

  #meet(userId: string): Seen {
    const seen: Seen = {
      shown: Status.OFFLINE,
      wished: Status.ONLINE,
      wishedAt: 0,
      toldActive: undefined,
      elsewhere: new Map(),
      goneAt: undefined,
      offlineAfterMs: this.#options.offlineAfterMs,
      rooms: undefined,
    };
    this.#seen.set(userId, seen);
    return seen;
  }

  #isConnected(userId: string, seen: Seen): boolean {
    return this.#roster.has(userId) || seen.elsewhere.size > 0;
  }

  #isBack(userId: string, seen: Seen): void {
    seen.goneAt = undefined;
    seen.rooms = undefined;
    this.#gone.delete(userId);
  }

  #leaves(userId: string, seen: Seen, at: number, rooms: readonly string[] | undefined, offlineAfterMs = Number.POSITIVE_INFINITY): void {
    seen.goneAt = at;
    seen.offlineAfterMs = Math.min(offlineAfterMs, this.#options.offlineAfterMs);
    seen.rooms = rooms;
    this.#gone.add(userId);
  }

  #refresh(userId: string, seen: Seen): void {
    this.#update(userId, seen);
    if (this.#peers && this.#roster.has(userId) && seen.toldActive !== this.#isActiveHere(userId)) this.#announce(userId, seen);
  }

  #update(userId: string, seen: Seen, rooms?: readonly string[]): void {
    const status = this.#statusOf(userId, seen);
    if (status === Status.OFFLINE && seen.goneAt !== undefined && this.#isPast(seen.goneAt, seen.offlineAfterMs)) {
      this.#seen.delete(userId);
      this.#gone.delete(userId);
    }
    if (status === seen.shown) return;
    seen.shown = status;
    this.#tell(userId, rooms ?? seen.rooms);
  }

  #statusOf(userId: string, { wished, goneAt, offlineAfterMs, elsewhere }: Seen): Status {
    if (goneAt !== undefined && this.#isPast(goneAt, offlineAfterMs)) return Status.OFFLINE;
    if (wished !== Status.ONLINE) return wished;
    if (goneAt !== undefined && !this.#isPast(goneAt, this.#options.awayAfterMs)) return Status.ONLINE;
    if (this.#isActiveHere(userId)) return Status.ONLINE;
    for (const { active } of elsewhere.values()) if (active) return Status.ONLINE;
    return Status.AWAY;
  }

  #isActiveHere(userId: string): boolean {
    for (const { activeAt } of this.#roster.of(userId)) if (!this.#isPast(activeAt, this.#options.awayAfterMs)) return true;
    return false;
  }

  #isPast(at: number, ms: number): boolean {
    return at + ms <= this.#options.now();
  }

  // Telling the other nodes, and the readers here.

  #personHere(userId: string, { wished, wishedAt, goneAt, offlineAfterMs }: Seen): PersonThere {
    const person = { userId, connections: this.#roster.of(userId).size, active: this.#isActiveHere(userId), wished, wishedAt };
    return goneAt !== undefined && offlineAfterMs < this.#options.offlineAfterMs ? { ...person, offlineAfterMs } : person;
  }

  /** Says how many connections there are here; with the rooms, when somebody may have to be told of it. */
  #announce(userId: string, seen: Seen, left?: readonly string[]): void {
    if (!this.#peers) return;
    const person = this.#personHere(userId, seen);
    const toldActive = person.connections === 0 ? undefined : person.active;
    const rooms = toldActive === seen.toldActive ? undefined : (left ?? this.#roomsHere(userId));
    seen.toldActive = toldActive;
    const toTell = rooms ?? this.#peers.untold(userId)?.rooms;
    this.#peers.tell(toTell ? { ...person, rooms: toTell } : person);
  }

  /** Undefined when no connection here is open: one that is opening does not follow all its rooms yet. */
  #roomsHere(userId: string): string[] | undefined {
    const open = [...this.#roster.of(userId)].filter(({ state }) => state === "open");
    return open.length === 0 ? undefined : [...new Set(open.flatMap(({ followers }) => [...followers.keys()]))];
  }

  #tell(userId: string, rooms: readonly string[] | undefined): void {
    if (this.#roster.size > 0) this.#readers.tell(userId, rooms ?? this.#roomsHere(userId));
  }
}
