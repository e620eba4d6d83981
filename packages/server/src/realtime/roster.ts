import type { LiveConnection } from "./live-connection.ts";

/** Told of the first connection of a user, and after the last one. */
export interface RosterObserver {
  came(userId: string): void;
  went(userId: string): void;
}

/** The open connections of this node, by user. */
export class Roster {
  readonly #observers: RosterObserver[] = [];
  readonly #byUser = new Map<string, Set<LiveConnection>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  of(userId: string): ReadonlySet<LiveConnection> {
    return this.#byUser.get(userId) ?? none;
  }

  has(userId: string): boolean {
    return this.#byUser.has(userId);
  }

  users(): string[] {
    return [...this.#byUser.keys()];
  }

  observe(observer: RosterObserver): void {
    this.#observers.push(observer);
  }

  *all(): Generator<LiveConnection> {
    for (const connections of this.#byUser.values()) yield* connections;
  }

  add(connection: LiveConnection, userId: string): void {
    const connections = this.#byUser.get(userId) ?? new Set();
    const isFirst = connections.size === 0;
    this.#byUser.set(userId, connections.add(connection));
    this.#size++;
    if (isFirst) for (const observer of this.#observers) observer.came(userId);
  }

  remove(connection: LiveConnection, userId: string): void {
    const connections = this.#byUser.get(userId);
    if (!connections?.delete(connection)) return;
    this.#size--;
    if (connections.size > 0) return;
    this.#byUser.delete(userId);
    for (const observer of this.#observers) observer.went(userId);
  }
}

const none: ReadonlySet<LiveConnection> = new Set();
