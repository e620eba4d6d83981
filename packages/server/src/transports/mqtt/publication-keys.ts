import { hash, randomUUID } from "node:crypto";
import { publicationKey } from "../../domain/publication-key.ts";

/** A publication with QoS 1 or 2 that gives no key of its own. */
export interface Unkeyed {
  readonly packetId: number;
  /** Whether the client says that it has sent it before. */
  readonly dup: boolean;
  readonly text: string;
}

/**
 * Keys (`client_message_id`) for messages published with QoS 1 or 2 without one, so that a PUBLISH which is sent again (DUP) is stored
 * once. A packet identifier may be used again as soon as it is acknowledged, even for the same text: so each new PUBLISH gets a key
 * that is new, and the key of one that is sent again says so. Which message it is, if it is stored already or by whoever is first,
 * is found out where messages are stored: it is the newest with the same client id, packet identifier and text, unless that one is
 * known to be acknowledged.
 */
export class PublicationKeys {
  readonly #clientId: string;

  constructor(clientId: string) {
    this.#clientId = clientId;
  }

  /** @param settledAt what was stored before is known to be acknowledged (milliseconds since 1970) */
  keyOf({ packetId, dup, text }: Unkeyed, settledAt: number): string {
    const family = hash("sha256", `${this.#clientId}\0${packetId}\0${text}`, "hex").slice(0, 24);
    // The first 32 bits of a UUID are random, and cost a tenth of what randomBytes does.
    return publicationKey(family, Date.now(), dup ? settledAt : undefined, randomUUID().slice(0, 8));
  }
}
