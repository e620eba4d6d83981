import { errors, type JWTPayload, jwtVerify, SignJWT } from "jose";
import type { Clock } from "../../ports/clock.ts";
import type { SigningKeys } from "./signing-keys.ts";
import { tokenExpired, tokenInvalid } from "./token-refusals.ts";

/** What the nodes' clocks may differ. */
const skewSeconds = 5;
/** Longer than any access token can be configured to live. */
const longestSeconds = 86_400;
const audience = "parlor";
const type = "at+jwt";
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export interface AccessTokenConfig {
  readonly issuer: string;
  /** How long an access token is good, in milliseconds. */
  readonly accessTokenMs: number;
}

/** What a verified access token says. */
export interface AccessClaims {
  readonly userId: string;
  readonly sessionId: string;
  /** In milliseconds since 1970. */
  readonly expiresAt: number;
  /** The key that signed it. */
  readonly kid: string;
}

export interface AccessToken {
  readonly token: string;
  readonly expiresAt: Date;
}

/** Access tokens: JWTs (RFC 9068) signed with EdDSA, checked after RFC 8725. */
export class AccessTokens {
  readonly #keys: SigningKeys;
  readonly #clock: Clock;
  readonly #config: AccessTokenConfig;

  constructor(keys: SigningKeys, clock: Clock, config: AccessTokenConfig) {
    this.#keys = keys;
    this.#clock = clock;
    this.#config = config;
  }

  async sign(userId: string, sessionId: string): Promise<AccessToken> {
    const { kid, privateKey } = this.#keys.current;
    const now = Math.floor(this.#clock.now() / 1000);
    const expires = now + Math.ceil(this.#config.accessTokenMs / 1000);
    const jwt = new SignJWT({ sid: sessionId }).setSubject(userId).setIssuer(this.#config.issuer).setAudience(audience);
    jwt.setIssuedAt(now).setNotBefore(now).setExpirationTime(expires).setProtectedHeader({ alg: "EdDSA", typ: type, kid });
    return { token: await jwt.sign(privateKey), expiresAt: new Date(expires * 1000) };
  }

  /** @throws ParlorError UNAUTHENTICATED: TOKEN_EXPIRED for a good token whose time is over, else TOKEN_INVALID */
  async verify(token: string): Promise<AccessClaims> {
    try {
      return this.#claims(await this.#verified(token));
    } catch (error) {
      if (error instanceof errors.JWTExpired) throw tokenExpired();
      if (error instanceof errors.JOSEError || error instanceof UnacceptableClaims) throw tokenInvalid();
      throw error;
    }
  }

  /** The checks of RFC 8725 that need no knowledge of ours. Of the header only `alg`, `typ` and `kid` are looked at. */
  async #verified(token: string): Promise<JWTPayload & { kid: string }> {
    let kid = "";
    const key = async (header: { kid?: string }) => {
      kid = header.kid ?? "";
      const known = await this.#keys.find(kid);
      if (!known) throw new UnacceptableClaims();
      return known.publicKey;
    };
    const { payload } = await jwtVerify(token, key, {
      algorithms: ["EdDSA"],
      typ: type,
      issuer: this.#config.issuer,
      audience,
      requiredClaims: ["exp", "iat", "nbf", "sub", "sid"],
      clockTolerance: skewSeconds,
      currentDate: new Date(this.#clock.now()),
    });
    return { ...payload, kid };
  }

  #claims({ kid, sub, sid, exp, iat, nbf }: JWTPayload & { kid: string }): AccessClaims {
    const now = this.#clock.now() / 1000;
    const sane = [exp, iat, nbf].every((time) => Number.isSafeInteger(time) && (time as number) <= now + longestSeconds + skewSeconds);
    if (!sane || typeof sub !== "string" || !uuid.test(sub) || typeof sid !== "string" || !uuid.test(sid)) throw new UnacceptableClaims();
    return { userId: sub, sessionId: sid, expiresAt: (exp as number) * 1000, kid };
  }

  /** @throws ParlorError UNAUTHENTICATED/TOKEN_EXPIRED when the time of a token, verified before, is over */
  requireUnexpired({ expiresAt }: AccessClaims): void {
    if (expiresAt + skewSeconds * 1000 <= this.#clock.now()) throw tokenExpired();
  }
}

class UnacceptableClaims extends Error {
  override readonly name = "UnacceptableClaims";
}
