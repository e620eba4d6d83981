import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  type ApiToken,
  ApiTokenSchema,
  type CreateApiTokenRequest,
  type CreateApiTokenResponseSchema,
  Goodbye_Reason,
  invalidFields,
  type ListApiTokensRequest,
  type ListApiTokensResponseSchema,
  type RevokeApiTokenRequest,
  type RevokeApiTokenResponseSchema,
} from "@parlor/contract";
import { type Call, callerOf } from "../../domain/call.ts";
import { newId } from "../../domain/ids.ts";
import { pageScope, pageSizeOf } from "../../domain/page-tokens.ts";
import { notExisting } from "../../domain/refusals.ts";
import { originOf } from "../../domain/security-log.ts";
import { findSession, insertSession, listSessions, revokeSession, type SessionRow } from "../../store/sessions.ts";
import { holdActiveUser } from "../../store/users.ts";
import type { AuthContext } from "./auth-context.ts";
import { hashOf, newApiToken } from "./secrets.ts";
import { sessionRevoked } from "./token-refusals.ts";

export async function createApiToken(
  { store, clock, securityLog }: AuthContext,
  request: CreateApiTokenRequest,
  call: Call,
): Promise<MessageInitShape<typeof CreateApiTokenResponseSchema>> {
  const { userId } = callerOf(call);
  const expiresAt = request.expiresAt ? timestampDate(request.expiresAt) : null;
  if (expiresAt !== null && expiresAt.getTime() <= clock.now())
    throw invalidFields({ field: "expires_at", description: "must be in the future" });
  const id = newId(clock.now());
  const token = newApiToken(id);
  const now = new Date(clock.now());
  const row: SessionRow = {
    id,
    user_id: userId,
    kind: "api_token",
    name: request.name,
    address: call.address,
    scopes: [...request.scopes],
    secret_hash: hashOf(token),
    generation: 0,
    created_at: now,
    refreshed_at: now,
    expires_at: expiresAt,
    revoked_at: null,
  };
  await store.transaction().execute(async (tx) => {
    if (!(await holdActiveUser(tx, userId))) throw sessionRevoked();
    await insertSession(tx, row);
  });
  securityLog.record({ event: "api_token_created", userId, sessionId: id, ...originOf(call) });
  return { token, apiToken: apiTokenMessage(row) };
}

export async function listApiTokens(
  { store, clock, pageTokens }: AuthContext,
  request: ListApiTokensRequest,
  call: Call,
): Promise<MessageInitShape<typeof ListApiTokensResponseSchema>> {
  const { userId } = callerOf(call);
  const scope = pageScope("ListApiTokens", userId);
  const size = pageSizeOf(request.pageSize);
  const after = pageTokens.open(scope, request.pageToken)?.[0] as string | undefined;
  const rows = await listSessions(store, { userId, kind: "api_token", now: new Date(clock.now()), after, limit: size + 1 });
  const { items, nextPageToken } = pageTokens.cut(scope, rows, size, (row) => [row.id]);
  return { apiTokens: items.map(apiTokenMessage), nextPageToken };
}

export async function revokeApiToken(
  { store, clock, identities, securityLog }: AuthContext,
  { tokenId }: RevokeApiTokenRequest,
  call: Call,
): Promise<MessageInitShape<typeof RevokeApiTokenResponseSchema>> {
  const { userId } = callerOf(call);
  const row = await findSession(store, tokenId);
  if (row?.kind !== "api_token" || row.user_id !== userId) throw notExisting();
  if (await revokeSession(store, tokenId, new Date(clock.now()))) {
    identities.ended({ sessionIds: [tokenId], reason: Goodbye_Reason.SESSION_REVOKED });
    securityLog.record({ event: "api_token_revoked", userId, sessionId: tokenId, ...originOf(call) });
  }
  return {};
}

function apiTokenMessage(row: SessionRow): ApiToken {
  return create(ApiTokenSchema, {
    id: row.id,
    name: row.name,
    scopes: row.scopes,
    createdAt: timestampFromDate(row.created_at),
    ...(row.expires_at === null ? {} : { expiresAt: timestampFromDate(row.expires_at) }),
  });
}
