import { timingSafeEqual } from "node:crypto";
import { type ApiToken_Scope, Goodbye_Reason, type User_Role } from "@parlor/contract";
import type { Kysely } from "kysely";
import { BoundedMap } from "../../domain/bounded-map.ts";
import type { Caller } from "../../domain/call.ts";
import type { Bus } from "../../ports/bus.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Schema } from "../../store/schema.ts";
import type { StandingRow } from "../../store/sessions.ts";
import type { AccessClaims, AccessTokens } from "./access-tokens.ts";
import { type Ended, type Notice, Notices } from "./notices.ts";
import { apiTokenId, hashOf } from "./secrets.ts";
import type { SigningKeys } from "./signing-keys.ts";
import { Standings } from "./standings.ts";
import { sessionRevoked, tokenExpired, tokenInvalid } from "./token-refusals.ts";

const longestToken = 4096;
const mostVerified = 10_000;
const mostScopeSets = 64;

/** Whether a session or API token is good now, and if not, what its live connections are told. */
export type Validity =
  | { readonly valid: true; readonly role: User_Role; readonly username: string }
  | { readonly valid: false; readonly reason: Goodbye_Reason };

export interface IdentitiesOptions {
  readonly store: Kysely<Schema>;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly keys: SigningKeys;
  readonly accessTokens: AccessTokens;
}

/** The one place that turns a token into a caller, and that knows when sessions end. */
export class Identities {
  readonly #options: IdentitiesOptions;
  readonly #standings: Standings;
  readonly #notices: Notices;
  /** Access tokens whose signature was checked, by their hash: it is not checked again for every call. */
  readonly #verified = new BoundedMap<string, AccessClaims>(mostVerified);
  /** Callers with the same scopes share one set. */
  readonly #scopeSets = new BoundedMap<string, ReadonlySet<ApiToken_Scope>>(mostScopeSets);
  readonly #listeners = new Set<(ended: Ended) => void>();
  readonly #doubters = new Set<(userId: string | undefined) => void>();

  constructor(options: IdentitiesOptions) {
    this.#options = options;
    this.#standings = new Standings(options.store, options.clock);
    this.#notices = new Notices(options.bus, {
      noticed: (notice) => this.#apply(notice),
      lost: () => this.#doubtAll(),
    });
  }

  /**
   * Whose token it is. Costs neither a statement nor a signature check when the same was asked within 5 s; `fresh` for somebody who
   * remembers the answer: the Store is asked then.
   * @throws ParlorError UNAUTHENTICATED: TOKEN_INVALID, TOKEN_EXPIRED or SESSION_REVOKED; whatever the Store throws
   */
  async verify(token: string, { fresh = false }: { readonly fresh?: boolean } = {}): Promise<Caller> {
    if (token.length > longestToken) throw tokenInvalid();
    const id = apiTokenId(token);
    return id === undefined ? this.#verifyAccess(token, fresh) : this.#verifyApi(token, id, fresh);
  }

  /**
   * Whether these sessions and API tokens are good now, in one statement: for live connections, every few seconds. The answer
   * has every id that was asked for.
   */
  async stillValid(sessionIds: readonly string[]): Promise<ReadonlyMap<string, Validity>> {
    const rows = await this.#standings.readAll(sessionIds);
    const now = this.#options.clock.now();
    return new Map(sessionIds.map((id) => [id, validityOf(rows.get(id), now)]));
  }

  /** Calls back when sessions or API tokens ended, on this node or another, until the returned function is called. */
  onEnded(listener: (ended: Ended) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Calls back when what is known of a person may no longer be true, on this node or another, such as the role; without the person
   * when word of anybody may have been lost. Until the returned function is called.
   */
  onDoubt(listener: (userId: string | undefined) => void): () => void {
    this.#doubters.add(listener);
    return () => this.#doubters.delete(listener);
  }

  /** To be called after it was committed that sessions ended: they are refused, and their connections end, from now on. */
  ended(ended: Ended): void {
    if (ended.userId !== undefined || ended.sessionIds?.length !== 0) this.#notices.send(ended);
  }

  /** To be called after a person's role or account changed: what is remembered of them is read again. */
  changed(userId: string): void {
    this.#notices.send({ userId });
  }

  close(): void {
    this.#options.keys.close();
    this.#notices.close();
    this.#listeners.clear();
    this.#doubters.clear();
  }

  #apply(notice: Notice): void {
    if (notice.sessionIds) this.#standings.drop(notice.sessionIds);
    if (notice.userId !== undefined) this.#standings.dropOwner(notice.userId);
    const { reason } = notice;
    if (reason === undefined) for (const doubter of this.#doubters) doubter(notice.userId);
    else for (const listener of this.#listeners) listener({ ...notice, reason });
  }

  #doubtAll(): void {
    this.#standings.clear();
    for (const doubter of this.#doubters) doubter(undefined);
  }

  async #verifyAccess(token: string, fresh: boolean): Promise<Caller> {
    const claims = await this.#claimsOf(token);
    const row = await this.#standings.get(claims.sessionId, fresh);
    if (row && (row.kind !== "session" || row.user_id !== claims.userId)) throw tokenInvalid();
    const { user_id: userId, username, role } = this.#requireGood(row);
    return { userId, username, role, sessionId: claims.sessionId, expiresAt: claims.expiresAt };
  }

  async #claimsOf(token: string): Promise<AccessClaims> {
    const { accessTokens, keys } = this.#options;
    const key = Buffer.from(hashOf(token)).toString("base64");
    const known = this.#verified.get(key);
    if (known && keys.has(known.kid)) {
      accessTokens.requireUnexpired(known);
      return known;
    }
    const claims = await accessTokens.verify(token);
    this.#verified.set(key, claims);
    return claims;
  }

  async #verifyApi(token: string, id: string, fresh: boolean): Promise<Caller> {
    const row = await this.#standings.get(id, fresh);
    if (row?.kind !== "api_token" || !timingSafeEqual(hashOf(token), row.secret_hash)) throw tokenInvalid();
    const { user_id: userId, username, role, scopes, expires_at } = this.#requireGood(row);
    const caller = { userId, username, role, sessionId: row.id, scopes: this.#scopesOf(scopes) };
    return expires_at === null ? caller : { ...caller, expiresAt: expires_at.getTime() };
  }

  #scopesOf(scopes: readonly ApiToken_Scope[]): ReadonlySet<ApiToken_Scope> {
    const name = scopes.join();
    const known = this.#scopeSets.get(name);
    if (known) return known;
    const made = new Set(scopes);
    this.#scopeSets.set(name, made);
    return made;
  }

  #requireGood(row: StandingRow | undefined): StandingRow {
    const validity = validityOf(row, this.#options.clock.now());
    if (row && validity.valid) return row;
    throw !validity.valid && validity.reason === Goodbye_Reason.TOKEN_EXPIRED ? tokenExpired() : sessionRevoked();
  }
}

function validityOf(row: StandingRow | undefined, now: number): Validity {
  if (!row) return { valid: false, reason: Goodbye_Reason.SESSION_REVOKED };
  if (row.deactivated_at !== null) return { valid: false, reason: Goodbye_Reason.DEACTIVATED };
  if (row.revoked_at !== null) return { valid: false, reason: Goodbye_Reason.SESSION_REVOKED };
  if (row.expires_at !== null && row.expires_at.getTime() <= now) return { valid: false, reason: Goodbye_Reason.TOKEN_EXPIRED };
  return { valid: true, role: row.role, username: row.username };
}
