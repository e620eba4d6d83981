import type { MessageInitShape } from "@bufbuild/protobuf";
import { Code, ParlorError, Reason, type SignUpRequest, type SignUpResponseSchema, User_Role } from "@parlor/contract";
import type { Call } from "../../domain/call.ts";
import { newId } from "../../domain/ids.ts";
import { originOf } from "../../domain/security-log.ts";
import { insertSession } from "../../store/sessions.ts";
import { findUserByName, insertUser } from "../../store/users.ts";
import { userMessage } from "../users/user-message.ts";
import type { AuthContext } from "./auth-context.ts";

/**
 * Signing up cannot but tell whether a name is taken, so it says so before the costly hash; of two who want a name at the same
 * moment, the database decides.
 */
export async function signUp(
  context: AuthContext,
  request: SignUpRequest,
  call: Call,
): Promise<MessageInitShape<typeof SignUpResponseSchema>> {
  const { store, clock, credentials, tokens, securityLog } = context;
  const username = request.username.toLowerCase();
  if (await findUserByName(store, username)) throw usernameTaken();
  const now = clock.now();
  const newUser = {
    id: newId(now),
    username,
    display_name: request.displayName || username,
    role: User_Role.USER,
    password_hash: await credentials.hashNew(request.password, "password"),
    created_at: new Date(now),
  };
  const { row, refresh } = tokens.begin({ userId: newUser.id, deviceName: request.deviceName, address: call.address });
  const user = await store.transaction().execute(async (tx) => {
    const inserted = await insertUser(tx, newUser);
    if (!inserted) throw usernameTaken();
    await insertSession(tx, row);
    return inserted;
  });
  securityLog.record({ event: "signed_up", userId: user.id, sessionId: row.id, ...originOf(call) });
  return { user: userMessage(user), tokens: await tokens.pair(user.id, refresh) };
}

export function usernameTaken(): ParlorError {
  return new ParlorError(Code.ALREADY_EXISTS, Reason.USERNAME_TAKEN, "The user name is taken.");
}
