import type { MessageInitShape } from "@bufbuild/protobuf";
import { type ChangePasswordRequest, type ChangePasswordResponseSchema, Goodbye_Reason } from "@parlor/contract";
import { type Call, callerOf } from "../../domain/call.ts";
import { originOf } from "../../domain/security-log.ts";
import { revokeSessionsOf } from "../../store/sessions.ts";
import { findUser, lockUser, updateUser } from "../../store/users.ts";
import type { AuthContext } from "./auth-context.ts";
import { badCredentials } from "./credentials.ts";

/** Wrong guesses of the current password count like failed log-ins. */
export async function changePassword(
  context: AuthContext,
  request: ChangePasswordRequest,
  call: Call,
): Promise<MessageInitShape<typeof ChangePasswordResponseSchema>> {
  const { store, clock, credentials, identities, securityLog } = context;
  const { userId, username, sessionId } = callerOf(call);
  const claim = { username, password: request.currentPassword, address: call.address };
  const before = await credentials.check(await findUser(store, userId), claim);
  const hash = await credentials.hashNew(request.newPassword, "new_password");
  const sessionIds = await store.transaction().execute(async (tx) => {
    // Hashing took long: of two changes at the same moment, only one had the password that is in force.
    const held = await lockUser(tx, userId);
    if (held?.password_hash !== before.password_hash) throw badCredentials();
    await updateUser(tx, userId, { password_hash: hash });
    return revokeSessionsOf(tx, userId, new Date(clock.now()), sessionId);
  });
  identities.ended({ sessionIds, reason: Goodbye_Reason.SESSION_REVOKED });
  securityLog.record({ event: "password_changed", userId, sessionId, ...originOf(call) });
  return {};
}
