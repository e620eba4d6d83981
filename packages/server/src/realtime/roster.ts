import type { LiveConnection } from "./live-connection.ts";

/** The open connections of this node, by user. */
export class Roster {
  readonly #byUser = new Map<string, Set<LiveConnection>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  of(userId: string): ReadonlySet<LiveConnection> {
    return this.#byUser.get(userId) ?? none;
  }

  *all(): Generator<LiveConnection> {
    for (const connections of this.#byUser.values()) yield* connections;
  }

  add(connection: LiveConnection, userId: string): void {
    const connections = this.#byUser.get(userId) ?? new Set();
    this.#byUser.set(userId, connections.add(connection));
    this.#size++;
  }

  remove(connection: LiveConnection, userId: string): void {
    const connections = this.#byUser.get(userId);
    if (!connections?.delete(connection)) return;
    this.#size--;
    if (connections.size === 0) this.#byUser.delete(userId);
  }
}

const none: ReadonlySet<LiveConnection> = new Set();
