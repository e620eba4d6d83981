import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  Goodbye_Reason,
  type ListSessionsRequest,
  type ListSessionsResponseSchema,
  type LogOutRequest,
  type LogOutResponseSchema,
  Reason,
  type RevokeSessionRequest,
  type RevokeSessionResponseSchema,
  type Session,
  SessionSchema,
  User_Role,
} from "@parlor/contract";
import { type Call, callerOf } from "../../domain/call.ts";
import { pageScope, pageSizeOf } from "../../domain/page-tokens.ts";
import { denied, notExisting } from "../../domain/refusals.ts";
import { originOf } from "../../domain/security-log.ts";
import { findSession, listSessions as listRows, revokeSession as revokeRow, type SessionRow } from "../../store/sessions.ts";
import type { AuthContext } from "./auth-context.ts";

/** Ends the session, or the API token, with which it is called. */
export async function logOut(
  context: AuthContext,
  _request: LogOutRequest,
  call: Call,
): Promise<MessageInitShape<typeof LogOutResponseSchema>> {
  const { userId, sessionId } = callerOf(call);
  await end(context, { id: sessionId, user_id: userId }, call);
  return {};
}

export async function listSessions(
  { store, clock, pageTokens }: AuthContext,
  request: ListSessionsRequest,
  call: Call,
): Promise<MessageInitShape<typeof ListSessionsResponseSchema>> {
  const caller = callerOf(call);
  const userId = request.userId || caller.userId;
  if (userId !== caller.userId && caller.role < User_Role.ADMIN) {
    throw denied(Reason.ROLE_TOO_LOW, "Only administrators may see the sessions of others.");
  }
  const scope = pageScope("ListSessions", caller.userId, userId);
  const size = pageSizeOf(request.pageSize);
  const after = pageTokens.open(scope, request.pageToken)?.[0] as string | undefined;
  const rows = await listRows(store, { userId, kind: "session", now: new Date(clock.now()), after, limit: size + 1 });
  const { items, nextPageToken } = pageTokens.cut(scope, rows, size, (row) => [row.id]);
  return { sessions: items.map((row) => sessionMessage(row, caller.sessionId)), nextPageToken };
}

export async function revokeSession(
  context: AuthContext,
  request: RevokeSessionRequest,
  call: Call,
): Promise<MessageInitShape<typeof RevokeSessionResponseSchema>> {
  const caller = callerOf(call);
  const session = await findSession(context.store, request.sessionId);
  const visible = session?.kind === "session" && (session.user_id === caller.userId || caller.role >= User_Role.ADMIN);
  if (!visible) throw notExisting();
  await end(context, session, call);
  return {};
}

async function end(context: AuthContext, { id, user_id }: Pick<SessionRow, "id" | "user_id">, call: Call): Promise<void> {
  const { store, clock, identities, securityLog } = context;
  if (!(await revokeRow(store, id, new Date(clock.now())))) return;
  identities.ended({ sessionIds: [id], reason: Goodbye_Reason.SESSION_REVOKED });
  securityLog.record({ event: "session_ended", userId: callerOf(call).userId, subjectId: user_id, sessionId: id, ...originOf(call) });
}

function sessionMessage(row: SessionRow, currentId: string): Session {
  return create(SessionSchema, {
    id: row.id,
    userId: row.user_id,
    deviceName: row.name,
    address: row.address,
    createdAt: timestampFromDate(row.created_at),
    refreshedAt: timestampFromDate(row.refreshed_at),
    ...(row.expires_at === null ? {} : { expiresAt: timestampFromDate(row.expires_at) }),
    current: row.id === currentId,
  });
}
