import { createHmac, hash, randomBytes } from "node:crypto";
import { tokenInvalid } from "./token-refusals.ts";

const refreshTokenShape = /^([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\.(0|[1-9]\d{0,8})\.([A-Za-z0-9_-]{43})$/;
const apiTokenShape = /^parlor_([0-9a-f]{8})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{12})_[A-Za-z0-9_-]{43}$/;

/** What the Store keeps of a token. */
export function hashOf(token: string): Uint8Array {
  return hash("sha256", token, "buffer");
}

/** 256 random bits. */
function newSecret(): string {
  return randomBytes(32).toString("base64url");
}

/** The refresh token `<session>.<generation>.<secret>`, taken apart. */
export interface RefreshToken {
  readonly sessionId: string;
  /** How often it was exchanged before. */
  readonly generation: number;
  readonly secret: string;
}

export function firstRefreshToken(sessionId: string): RefreshToken {
  return { sessionId, generation: 0, secret: newSecret() };
}

export function writeRefreshToken({ sessionId, generation, secret }: RefreshToken): string {
  return `${sessionId}.${generation}.${secret}`;
}

/** @throws ParlorError UNAUTHENTICATED/TOKEN_INVALID */
export function readRefreshToken(text: string): RefreshToken {
  const [, sessionId, generation, secret] = refreshTokenShape.exec(text) ?? [];
  if (sessionId === undefined || secret === undefined) throw tokenInvalid();
  return { sessionId, generation: Number(generation), secret };
}

/**
 * The one refresh token that a refresh token is exchanged for. Whoever asks gets the same, on every node, so a retry does no
 * harm; and nobody can work it out who has only the token, or only the server's secret.
 */
export function successorOf({ sessionId, generation, secret }: RefreshToken, serverSecret: Uint8Array): RefreshToken {
  const next = createHmac("sha256", serverSecret).update(`${sessionId}.${generation}.${secret}`).digest("base64url");
  return { sessionId, generation: generation + 1, secret: next };
}

export function newApiToken(id: string): string {
  return `parlor_${id.replaceAll("-", "")}_${newSecret()}`;
}

/** The id in an API token; undefined when it is not shaped like one. */
export function apiTokenId(text: string): string | undefined {
  const parts = apiTokenShape.exec(text);
  return parts ? parts.slice(1, 6).join("-") : undefined;
}
