import { createHash } from "node:crypto";
import { newId } from "../../domain/ids.ts";
import type { DurableSessions, SessionKey } from "../../realtime/durable-session.ts";

/** A publication with QoS 1 that gives no key of its own. */
export interface Unkeyed {
  readonly packetId: number;
  /** Whether the client says that it has sent it before. */
  readonly dup: boolean;
  readonly roomId: string;
  readonly text: string;
}

/**
 * Keys (`client_message_id`) for messages published with QoS 1 without one, so that a PUBLISH which is sent again (DUP) is stored
 * once. A packet identifier may be used again as soon as it is acknowledged, even for the same text: so each new PUBLISH gets a key
 * that is new, and one that is sent again takes the newest with the same client id, packet identifier and text, unless that one is
 * known to be acknowledged.
 */
export class PublicationKeys {
  readonly #sessions: DurableSessions;
  readonly #session: SessionKey;

  constructor(sessions: DurableSessions, session: SessionKey) {
    this.#sessions = sessions;
    this.#session = session;
  }

  /** @param settledAt what was stored before is known to be acknowledged (milliseconds since 1970) */
  async keyOf({ packetId, dup, roomId, text }: Unkeyed, settledAt: number): Promise<string> {
    const { clientId, userId } = this.#session;
    // Digits and lower-case letters of one length sort alike in every collation: the Store finds the newest by its index.
    const prefix = `mqtt${createHash("sha256").update(`${clientId}\0${packetId}\0${text}`).digest("hex").slice(0, 24)}`;
    const from = `${prefix}${settledAt.toString(16).padStart(12, "0")}${"0".repeat(20)}`;
    const known = dup ? await this.#sessions.greatestKey({ roomId, authorId: userId }, from, `${prefix}${"f".repeat(32)}`) : undefined;
    return known ?? `${prefix}${newId().replaceAll("-", "")}`;
  }
}
