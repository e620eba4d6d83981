import type { MessageInitShape } from "@bufbuild/protobuf";
import { type LogInRequest, type LogInResponseSchema, ParlorError, Reason } from "@parlor/contract";
import type { Call } from "../../domain/call.ts";
import { originOf, type SecurityEvent } from "../../domain/security-log.ts";
import { insertSession } from "../../store/sessions.ts";
import { findUserByName, holdActiveUser, type UserRow } from "../../store/users.ts";
import { userMessage } from "../users/user-message.ts";
import type { AuthContext } from "./auth-context.ts";
import { badCredentials } from "./credentials.ts";

export async function logIn(
  context: AuthContext,
  request: LogInRequest,
  call: Call,
): Promise<MessageInitShape<typeof LogInResponseSchema>> {
  const { store, tokens, securityLog } = context;
  const user = await checked(context, request, call);
  const { row, refresh } = tokens.begin({ userId: user.id, deviceName: request.deviceName, address: call.address });
  await store.transaction().execute(async (tx) => {
    // The comparison took long: the account may have been closed, or the password changed, in the meantime.
    const held = await holdActiveUser(tx, user.id);
    if (held?.password_hash !== user.password_hash) throw badCredentials();
    await insertSession(tx, row);
  });
  securityLog.record({ event: "signed_in", userId: user.id, sessionId: row.id, ...originOf(call) });
  return { user: userMessage(user), tokens: await tokens.pair(user.id, refresh) };
}

async function checked({ store, credentials, securityLog }: AuthContext, request: LogInRequest, call: Call): Promise<UserRow> {
  const username = request.username.toLowerCase();
  const user = await findUserByName(store, username);
  try {
    return await credentials.check(user, { username, password: request.password, address: call.address });
  } catch (error) {
    const event = error instanceof ParlorError ? failures[error.reason] : undefined;
    if (event) securityLog.record({ event, ...(user ? { userId: user.id } : {}), ...originOf(call) });
    throw error;
  }
}

const failures: Partial<Record<Reason, SecurityEvent>> = {
  [Reason.BAD_CREDENTIALS]: "sign_in_failed",
  [Reason.TOO_MANY_ATTEMPTS]: "sign_in_locked",
};
