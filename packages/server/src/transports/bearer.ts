import { Reason } from "@parlor/contract";
import { unauthenticated } from "../domain/refusals.ts";

/**
 * The token of an Authorization header or metadata (RFC 6750), undefined when there is none. Tokens are taken from nowhere
 * else: a URL ends up in logs.
 * @throws ParlorError UNAUTHENTICATED when the header is there and is not a bearer token
 */
export function bearerOf(header: string | undefined): string | undefined {
  if (header === undefined) return undefined;
  const token = /^Bearer +([A-Za-z0-9._~+/-]{1,4096}=*)$/i.exec(header)?.[1];
  if (token === undefined) throw unauthenticated(Reason.TOKEN_INVALID, "The Authorization header must be `Bearer` and a token.");
  return token;
}
