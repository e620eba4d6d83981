import { type AuthService, Reason, type ServiceImpl } from "@parlor/contract";
import type { Call } from "../../domain/call.ts";
import { denied } from "../../domain/refusals.ts";
import { createApiToken, listApiTokens, revokeApiToken } from "./api-tokens.ts";
import type { AuthContext } from "./auth-context.ts";
import { logIn } from "./log-in.ts";
import { changePassword } from "./password.ts";
import { refreshTokens } from "./refresh.ts";
import { listSessions, logOut, revokeSession } from "./sessions.ts";
import { signUp } from "./sign-up.ts";
import { verifyToken } from "./verify-token.ts";

/** @param open whether people may make accounts for themselves */
export function authService(context: AuthContext, { signUp: open }: { readonly signUp: boolean }): ServiceImpl<typeof AuthService, Call> {
  return {
    async signUp(request, call) {
      if (!open) throw denied(Reason.SIGN_UP_DISABLED, "Signing up is switched off on this server.");
      return signUp(context, request, call);
    },
    logIn: (request, call) => logIn(context, request, call),
    refreshTokens: (request, call) => refreshTokens(context, request, call),
    logOut: (request, call) => logOut(context, request, call),
    listSessions: (request, call) => listSessions(context, request, call),
    revokeSession: (request, call) => revokeSession(context, request, call),
    changePassword: (request, call) => changePassword(context, request, call),
    createApiToken: (request, call) => createApiToken(context, request, call),
    listApiTokens: (request, call) => listApiTokens(context, request, call),
    revokeApiToken: (request, call) => revokeApiToken(context, request, call),
    verifyToken: (request) => verifyToken(context, request),
  };
}
