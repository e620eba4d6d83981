import { createHash, timingSafeEqual } from "node:crypto";
import type { Http2Session, IncomingHttpHeaders } from "node:http2";
import { serviceMetadata } from "../../domain/forwarded-call.ts";
import { verifiedPeer } from "../verified-peer.ts";

/** How other services prove who they are. With neither, nobody is believed. */
export interface ServiceProofs {
  /** The secret that services share. */
  readonly token?: string | undefined;
  /** Whether the listener asks for client certificates, and checks them against an authority of services alone. */
  readonly certificates?: boolean;
}

/** Tells other services from everybody else. */
export class ServiceTrust {
  readonly #token: Buffer | undefined;
  readonly #certificates: boolean;

  constructor({ token, certificates = false }: ServiceProofs) {
    this.#token = token === undefined ? undefined : digest(token);
    this.#certificates = certificates;
  }

  /** Whether a call claims to come from a service. */
  isClaimed(headers: IncomingHttpHeaders): boolean {
    return headers[serviceMetadata.token] !== undefined || headers[serviceMetadata.call] !== undefined;
  }

  /** Whether it does, by the secret or by the certificate of its connection. */
  isProven(headers: IncomingHttpHeaders, session: Http2Session | undefined): boolean {
    const given = headers[serviceMetadata.token];
    if (this.#token && typeof given === "string" && timingSafeEqual(digest(given), this.#token)) return true;
    return this.#certificates && verifiedPeer(session?.socket);
  }
}

/** Secrets of any length become equally long, so that comparing them tells nothing. */
function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
