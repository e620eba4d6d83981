import { timestampMs } from "@bufbuild/protobuf/wkt";
import { Code, ParlorError, type Tokens } from "@parlor/contract";
import type { Clock } from "./clock.ts";

/** A pair of tokens as plain data, to be kept by an application. They are secrets. */
export interface StoredTokens {
  readonly accessToken: string;
  readonly refreshToken: string;
  /** When the access token expires: milliseconds since 1970 by the server's clock. */
  readonly expiresAt: number;
}

/** An access token is exchanged this long before it expires. */
const REFRESH_EARLY_MS = 60_000;
/** A token this young is used even when this machine's clock says that it has expired: then the clock is wrong. */
const SURELY_GOOD_MS = 60_000;

export interface TokenKeeperOptions {
  readonly clock: Clock;
  /** Exchanges a refresh token. */
  readonly refresh: (refreshToken: string) => Promise<Tokens>;
  /** Told of every new pair, and of undefined when there is none any more. */
  readonly onTokens?: ((tokens: StoredTokens | undefined) => void) | undefined;
  readonly tokens?: StoredTokens | undefined;
  /** A token that does not change, such as an API token; it wins over `tokens`. */
  readonly token?: string | undefined;
}

/** Keeps the tokens of a client and exchanges them in time, one exchange at a time. */
export class TokenKeeper {
  readonly #options: TokenKeeperOptions;
  #tokens: StoredTokens | undefined;
  #receivedAt = Number.NEGATIVE_INFINITY;
  #refreshing: Promise<string> | undefined;

  constructor(options: TokenKeeperOptions) {
    this.#options = options;
    this.#tokens = options.tokens;
  }

  get tokens(): StoredTokens | undefined {
    return this.#tokens;
  }

  /** Whether a refused access token can be exchanged for another. */
  get renewable(): boolean {
    return this.#options.token === undefined && this.#tokens !== undefined;
  }

  /** Takes the tokens of a new session, or drops those that are kept. */
  set(tokens: StoredTokens | undefined): void {
    this.#tokens = tokens;
    this.#receivedAt = this.#options.clock.now();
    this.#refreshing = undefined;
    this.#options.onTokens?.(tokens);
  }

  /**
   * A token for a call that is made now; undefined when there is none.
   * @throws ParlorError UNAUTHENTICATED when the session has ended, UNAVAILABLE when an expired token could not be exchanged
   */
  async access(): Promise<string | undefined> {
    if (this.#options.token !== undefined) return this.#options.token;
    const tokens = this.#tokens;
    if (tokens === undefined || !this.#isOld(tokens)) return tokens?.accessToken;
    try {
      return await this.#refresh(tokens);
    } catch (error) {
      if (this.#tokens === tokens && this.#options.clock.now() < tokens.expiresAt) return tokens.accessToken;
      throw error;
    }
  }

  /** A token that replaces one which the server refused as expired; the kept one, if another call has exchanged it already. */
  async renew(refused: string | undefined): Promise<string | undefined> {
    const tokens = this.#tokens;
    if (tokens === undefined || tokens.accessToken !== refused) return tokens?.accessToken;
    return this.#refresh(tokens);
  }

  #isOld(tokens: StoredTokens): boolean {
    const now = this.#options.clock.now();
    return now - this.#receivedAt >= SURELY_GOOD_MS && tokens.expiresAt - now < REFRESH_EARLY_MS;
  }

  #refresh(tokens: StoredTokens): Promise<string> {
    this.#refreshing ??= this.#exchange(tokens).finally(() => {
      this.#refreshing = undefined;
    });
    return this.#refreshing;
  }

  async #exchange(tokens: StoredTokens): Promise<string> {
    try {
      const next = storedTokens(await this.#options.refresh(tokens.refreshToken));
      // Whoever logged in or out meanwhile wins.
      if (this.#tokens === tokens) this.set(next);
      return next.accessToken;
    } catch (error) {
      if (this.#tokens === tokens && error instanceof ParlorError && error.code === Code.UNAUTHENTICATED) this.set(undefined);
      throw error;
    }
  }
}

/** The contract's tokens as plain data. */
export function storedTokens({ accessToken, refreshToken, expiresAt }: Tokens): StoredTokens {
  return { accessToken, refreshToken, expiresAt: expiresAt === undefined ? 0 : timestampMs(expiresAt) };
}
