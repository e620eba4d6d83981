import type { MessageInitShape } from "@bufbuild/protobuf";
import { Goodbye_Reason, Reason, type RefreshTokensRequest, type RefreshTokensResponseSchema } from "@parlor/contract";
import type { Call } from "../../domain/call.ts";
import { unauthenticated } from "../../domain/refusals.ts";
import { originOf } from "../../domain/security-log.ts";
import { exchangeRefreshToken, findSession, revokeSession, type SessionRow } from "../../store/sessions.ts";
import { findUser } from "../../store/users.ts";
import { userMessage } from "../users/user-message.ts";
import type { AuthContext } from "./auth-context.ts";
import { hashOf, type RefreshToken, readRefreshToken, writeRefreshToken } from "./secrets.ts";
import { sessionRevoked, tokenExpired, tokenInvalid } from "./token-refusals.ts";

/**
 * Of many refreshes with one token, one moves the session on; the others find it moved and, as retries, answer the same
 * successor. A token from further back is in the hands of two, so its session ends (RFC 9700, 4.14.2).
 */
export async function refreshTokens(
  context: AuthContext,
  request: RefreshTokensRequest,
  call: Call,
): Promise<MessageInitShape<typeof RefreshTokensResponseSchema>> {
  const presented = readRefreshToken(request.refreshToken);
  const successor = context.tokens.successorOf(presented);
  const userId = (await exchange(context, presented, successor)) ?? (await retry(context, presented, call));
  const user = await findUser(context.store, userId);
  if (user?.deactivated_at !== null) throw sessionRevoked();
  return { user: userMessage(user), tokens: await context.tokens.pair(userId, successor) };
}

function exchange({ store, clock, tokens }: AuthContext, presented: RefreshToken, successor: RefreshToken): Promise<string | undefined> {
  return exchangeRefreshToken(store, {
    sessionId: presented.sessionId,
    generation: presented.generation,
    presentedHash: hashOf(writeRefreshToken(presented)),
    successorHash: hashOf(writeRefreshToken(successor)),
    now: new Date(clock.now()),
    expiresAt: tokens.expiry(),
  });
}

/** Whose session it is, when the token was exchanged just now. */
async function retry(context: AuthContext, presented: RefreshToken, call: Call): Promise<string> {
  const { store, clock, tokens } = context;
  const session = await findSession(store, presented.sessionId);
  // The id of a session is no secret, so whoever has only that must not be able to end it.
  const age = session?.kind === "session" ? tokens.ageOf(presented, session) : undefined;
  if (!session || age === undefined) throw tokenInvalid();
  if (session.revoked_at !== null) throw sessionRevoked();
  if (session.expires_at !== null && session.expires_at.getTime() <= clock.now()) throw tokenExpired();
  if (age === 1 && tokens.inGrace(session)) return session.user_id;
  await endReused(context, session, call);
  throw unauthenticated(Reason.REFRESH_TOKEN_REUSED, "An old refresh token was used again, so its session was ended. Sign in again.");
}

async function endReused({ store, clock, identities, securityLog }: AuthContext, session: SessionRow, call: Call): Promise<void> {
  await revokeSession(store, session.id, new Date(clock.now()));
  identities.ended({ sessionIds: [session.id], reason: Goodbye_Reason.SESSION_REVOKED });
  securityLog.record({ event: "refresh_token_reused", userId: session.user_id, sessionId: session.id, ...originOf(call) });
}
