import type { Kysely } from "kysely";
import type { UserHint, UserHints } from "../log/user-hints.ts";
import { type Arrival, arrivalsSince, membershipsOf } from "../store/members.ts";
import type { Schema } from "../store/schema.ts";
import type { Memberships } from "./memberships.ts";
import type { Roster, RosterObserver } from "./roster.ts";

export interface ArrivalsOptions {
  readonly store: Kysely<Schema>;
  readonly userHints: UserHints;
  /** How often the Store is asked who came into a room (milliseconds); left out where nobody else can write. */
  readonly checkMs?: number | undefined;
  /** A read marker of this person moved on another node. */
  readonly readMarked: (userId: string, roomId: string, readSeq: number) => void;
  readonly now: () => number;
  readonly reportFault: (error: unknown) => void;
}

/** How far the clocks of nodes may be apart, and how long a commit may take (milliseconds). */
const skewMs = 30_000;
/** People per look-up. */
const usersPerQuery = 200;

/**
 * Brings people into rooms that this node may know nothing of: another node added them there. Told by hints to the nodes where
 * the person is connected; what hints have not brought, the Store is asked for.
 */
export class Arrivals implements RosterObserver {
  readonly #options: ArrivalsOptions;
  readonly #roster: Roster;
  readonly #memberships: Memberships;
  readonly #unlisten = new Map<string, () => void>();
  /** People of whom hints were lost. */
  readonly #doubted = new Set<string>();
  #checkedAt: number;
  #checking = false;

  constructor(options: ArrivalsOptions, roster: Roster, memberships: Memberships) {
    this.#options = options;
    this.#roster = roster;
    this.#memberships = memberships;
    this.#checkedAt = options.now();
    roster.observe(this);
  }

  /** Listens before the person's rooms are read, so that nothing falls between the two. */
  came(userId: string): void {
    const handlers = {
      hinted: (_userId: string, hint: UserHint): void => this.#hinted(userId, hint),
      lost: (): void => this.#doubt(userId),
    };
    this.#unlisten.set(userId, this.#options.userHints.listen(userId, handlers));
  }

  went(userId: string): void {
    this.#unlisten.get(userId)?.();
    this.#unlisten.delete(userId);
  }

  /** To be called every second or so: asks who came, when it is time. */
  sweep(): void {
    const { checkMs, now } = this.#options;
    if (checkMs === undefined || this.#checking || now() - this.#checkedAt < checkMs) return;
    this.#checking = true;
    void this.#check()
      .catch(this.#options.reportFault)
      .finally(() => {
        this.#checking = false;
      });
  }

  async #check(): Promise<void> {
    const startedAt = this.#options.now();
    this.#letIn(await arrivalsSince(this.#options.store, new Date(this.#checkedAt - skewMs)));
    this.#checkedAt = startedAt;
  }

  #hinted(userId: string, { kind, roomId, seq }: UserHint): void {
    if (kind === "entered") this.#memberships.letIn(roomId, userId, seq);
    else this.#options.readMarked(userId, roomId, seq);
  }

  /** After a reconnect everybody is in doubt at once. */
  #doubt(userId: string): void {
    if (this.#doubted.size === 0) setImmediate(() => void this.#lookUp().catch(this.#options.reportFault));
    this.#doubted.add(userId);
  }

  async #lookUp(): Promise<void> {
    const userIds = [...this.#doubted].filter((userId) => this.#roster.has(userId));
    this.#doubted.clear();
    for (let i = 0; i < userIds.length; i += usersPerQuery) {
      this.#letIn(await membershipsOf(this.#options.store, userIds.slice(i, i + usersPerQuery)));
    }
  }

  /** A person who has read on since, on another device, goes on from there. */
  #letIn(arrivals: readonly Arrival[]): void {
    for (const { room_id, user_id, read_seq } of arrivals) this.#memberships.letIn(room_id, user_id, read_seq + 1);
  }
}
