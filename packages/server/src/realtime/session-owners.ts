import { isId, isRecord, isShort } from "../domain/checks.ts";
import type { Bus } from "../ports/bus.ts";
import { publishWord, subscribeWords } from "../ports/words.ts";
import type { SessionClaim, SessionKey, SessionOwner } from "./durable-session.ts";

const topic = "mqtt-sessions";
/** Within this time two connections count as made at the same time, whatever the clocks of their nodes say (milliseconds). */
const sameTimeMs = 5000;

type Notice = SessionKey & { readonly connectionId: string };

interface Owned {
  readonly owner: SessionOwner;
  readonly connectionId: string;
  readonly since: number;
}

/** Which connection of this node has which session. Of two that want one, anywhere, the later gets it. */
export class SessionOwners {
  readonly #bus: Bus;
  readonly #owners = new Map<string, Owned>();
  readonly #unsubscribe: () => void;

  constructor(bus: Bus) {
    this.#bus = bus;
    // What is lost here is found when the old connection stores its cursors: the epoch is another's then.
    this.#unsubscribe = subscribeWords(
      bus,
      topic,
      isNotice,
      (notice) => this.#heard(notice),
      () => undefined,
    );
  }

  of(key: SessionKey): SessionOwner | undefined {
    return this.#owners.get(nameOf(key))?.owner;
  }

  take({ userId, clientId, connectionId }: SessionClaim, owner: SessionOwner): void {
    const name = nameOf({ userId, clientId });
    const before = this.#owners.get(name);
    this.#owners.set(name, { owner, connectionId, since: performance.now() });
    before?.owner.takenOver();
    publishWord(this.#bus, topic, { userId, clientId, connectionId } satisfies Notice);
  }

  /** Says whether it still had it. */
  release(key: SessionKey, owner: SessionOwner): boolean {
    return this.of(key) === owner && this.#owners.delete(nameOf(key));
  }

  close(): void {
    this.#unsubscribe();
  }

  #heard({ userId, clientId, connectionId }: Notice): void {
    const name = nameOf({ userId, clientId });
    const here = this.#owners.get(name);
    if (!here || (performance.now() - here.since < sameTimeMs && connectionId < here.connectionId)) return;
    this.#owners.delete(name);
    here.owner.takenOver();
  }
}

function isNotice(value: unknown): value is Notice {
  return isRecord(value) && isId(value["userId"]) && isShort(value["clientId"]) && isId(value["connectionId"]);
}

function nameOf({ userId, clientId }: SessionKey): string {
  return `${userId} ${clientId}`;
}
