import { timingSafeEqual } from "node:crypto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { TokensSchema } from "@parlor/contract";
import { newId } from "../../domain/ids.ts";
import type { Clock } from "../../ports/clock.ts";
import type { SessionRow } from "../../store/sessions.ts";
import type { AccessTokens } from "./access-tokens.ts";
import { firstRefreshToken, hashOf, type RefreshToken, successorOf, writeRefreshToken } from "./secrets.ts";

/**
 * How far back an old refresh token is recognized as one of its session: 20 days of refreshes every 15 minutes, some 30 ms of
 * work. Older ones are refused like made-up ones.
 */
const mostGenerations = 2000;

export interface SessionTimes {
  /** How long a session lives without being refreshed. There is no limit beyond it. Milliseconds. */
  readonly refreshTokenMs: number;
  /** How long a refresh may be retried. Milliseconds. */
  readonly refreshGraceMs: number;
}

export interface NewSession {
  readonly userId: string;
  readonly deviceName: string;
  readonly address: string;
}

/** The two tokens of a session. */
export class SessionTokens {
  readonly #access: AccessTokens;
  readonly #secret: Uint8Array;
  readonly #clock: Clock;
  readonly #times: SessionTimes;

  /** @param secret from which successors of refresh tokens are derived */
  constructor(access: AccessTokens, secret: Uint8Array, clock: Clock, times: SessionTimes) {
    this.#access = access;
    this.#secret = secret;
    this.#clock = clock;
    this.#times = times;
  }

  /** A session, yet to be stored, under a new id, and its first refresh token. */
  begin({ userId, deviceName, address }: NewSession): { readonly row: SessionRow; readonly refresh: RefreshToken } {
    const now = new Date(this.#clock.now());
    const refresh = firstRefreshToken(newId(this.#clock.now()));
    const row: SessionRow = {
      id: refresh.sessionId,
      user_id: userId,
      kind: "session",
      name: deviceName,
      address,
      scopes: [],
      secret_hash: hashOf(writeRefreshToken(refresh)),
      generation: refresh.generation,
      created_at: now,
      refreshed_at: now,
      expires_at: this.expiry(),
      revoked_at: null,
    };
    return { row, refresh };
  }

  /** The pair that the contract hands out. */
  async pair(userId: string, refresh: RefreshToken): Promise<MessageInitShape<typeof TokensSchema>> {
    const { token, expiresAt } = await this.#access.sign(userId, refresh.sessionId);
    return { accessToken: token, refreshToken: writeRefreshToken(refresh), expiresAt: timestampFromDate(expiresAt) };
  }

  successorOf(token: RefreshToken): RefreshToken {
    return successorOf(token, this.#secret);
  }

  /** When a session ends that is refreshed now. */
  expiry(): Date {
    return new Date(this.#clock.now() + this.#times.refreshTokenMs);
  }

  /** How many times the session was refreshed since this was its token; undefined when it never was. */
  ageOf(token: RefreshToken, session: SessionRow): number | undefined {
    const age = session.generation - token.generation;
    if (age < 0 || age > mostGenerations) return undefined;
    let descendant = token;
    for (let i = 0; i < age; i++) descendant = this.successorOf(descendant);
    return timingSafeEqual(hashOf(writeRefreshToken(descendant)), session.secret_hash) ? age : undefined;
  }

  /** Whether it is still time for a retry of the session's last refresh. */
  inGrace(session: SessionRow): boolean {
    return this.#clock.now() - session.refreshed_at.getTime() <= this.#times.refreshGraceMs;
  }
}
