import { Goodbye_Reason, type User_Role } from "@parlor/contract";
import type { LiveConnection } from "./live-connection.ts";

/** Whether a session is good, with what its owner may do now, or why not. */
export type Validity = { readonly valid: true; readonly role: User_Role } | { readonly valid: false; readonly reason: Goodbye_Reason };

export interface VigilOptions {
  readonly heartbeatMs: number;
  readonly deadAfterMs: number;
  readonly helloTimeoutMs: number;
  readonly now: () => number;
  /** Whether each of these sessions is still good. */
  readonly stillValid: (sessionIds: readonly string[]) => Promise<ReadonlyMap<string, Validity>>;
  readonly reportFault: (error: unknown) => void;
  /** Called every turn. */
  readonly sweep: () => void;
}

/** A turn of the watch (milliseconds): how late a time-out may be noticed. */
const longestTurnMs = 1000;
/**
 * Sessions are looked up again this often (milliseconds), in case word of their end was lost. With a turn of the watch and the
 * time of the statement it stays well under the 5 s that a session may outlive its end.
 */
const recheckMs = 2500;
/** Sessions per look-up. */
const sessionsPerQuery = 1000;

/** Watches over all connections with one timer: hello in time, heartbeats, signs of life, sessions still good. */
export class Vigil {
  readonly #options: VigilOptions;
  readonly #connections = new Set<LiveConnection>();
  #timer: NodeJS.Timeout | undefined;
  #recheckedAt = 0;
  #rechecking = false;
  readonly #doubted = new Set<LiveConnection>();

  constructor(options: VigilOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#connections.size;
  }

  connections(): LiveConnection[] {
    return [...this.#connections];
  }

  queuedBytes(): number {
    let sum = 0;
    for (const connection of this.#connections) sum += connection.sink.queuedBytes;
    return sum;
  }

  add(connection: LiveConnection): void {
    this.#connections.add(connection);
  }

  remove(connection: LiveConnection): void {
    this.#connections.delete(connection);
  }

  /** Has the session of a connection looked up at once; all that are doubted in a turn of the event loop share a statement. */
  doubt(connection: LiveConnection): void {
    if (this.#doubted.size === 0) setImmediate(() => void this.#lookUp());
    this.#doubted.add(connection);
  }

  start(): void {
    const { heartbeatMs, deadAfterMs, helloTimeoutMs, now } = this.#options;
    const turnMs = Math.min(longestTurnMs, heartbeatMs / 2, deadAfterMs / 2, helloTimeoutMs / 2);
    this.#recheckedAt = now();
    this.#timer = setInterval(() => this.#turn(), turnMs);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #turn(): void {
    const now = this.#options.now();
    for (const connection of this.#connections) this.#look(connection, now);
    this.#options.sweep();
    if (now - this.#recheckedAt >= recheckMs && !this.#rechecking) void this.#recheck(now);
  }

  #look(connection: LiveConnection, now: number): void {
    const { heartbeatMs, deadAfterMs, helloTimeoutMs } = this.#options;
    if (connection.state !== "open") {
      if (now - connection.openedAt > helloTimeoutMs) connection.end(Goodbye_Reason.HELLO_TIMEOUT);
    } else if (now - connection.heardAt > (connection.sink.silenceMs ?? heartbeatMs + deadAfterMs))
      connection.end(Goodbye_Reason.HEARTBEAT_TIMEOUT);
    else if (now - connection.beatAt >= heartbeatMs) connection.beat(now);
  }

  async #recheck(now: number): Promise<void> {
    this.#recheckedAt = now;
    this.#rechecking = true;
    await this.#hold(this.connections());
    this.#rechecking = false;
  }

  #lookUp(): Promise<void> {
    const doubted = [...this.#doubted];
    this.#doubted.clear();
    return this.#hold(doubted);
  }

  /** Never throws: the next look comes soon. */
  async #hold(connections: readonly LiveConnection[]): Promise<void> {
    try {
      const open = connections.filter(({ caller }) => caller);
      const ids = [...new Set(open.map(({ caller }) => caller?.sessionId ?? ""))];
      for (let i = 0; i < ids.length; i += sessionsPerQuery) {
        const validity = await this.#options.stillValid(ids.slice(i, i + sessionsPerQuery));
        for (const connection of open) hold(connection, validity.get(connection.caller?.sessionId ?? ""));
      }
    } catch (error) {
      this.#options.reportFault(error);
    }
  }
}

/** Ends a connection whose session is over, and lets a new role of its owner count. */
function hold(connection: LiveConnection, validity: Validity | undefined): void {
  if (!validity || !connection.caller) return;
  if (!validity.valid) connection.end(validity.reason);
  else if (validity.role !== connection.caller.role) connection.caller = { ...connection.caller, role: validity.role };
}
