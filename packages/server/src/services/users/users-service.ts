import type { ServiceImpl, UsersService } from "@parlor/contract";
import type { Call } from "../../domain/call.ts";
import { deactivate, reactivate, setRole } from "./accounts.ts";
import { getMe, getUser, searchUsers, updateProfile } from "./profiles.ts";
import { userMessage } from "./user-message.ts";
import type { UsersContext } from "./users-context.ts";

export function createUsersService(context: UsersContext): ServiceImpl<typeof UsersService, Call> {
  return {
    getMe: (request, call) => getMe(context, request, call),
    updateProfile: (request, call) => updateProfile(context, request, call),
    getUser: (request) => getUser(context, request),
    searchUsers: (request, call) => searchUsers(context, request, call),
    setRole: async ({ userId, role }, call) => ({ user: userMessage(await setRole(context, userId, role, call)) }),
    deactivate: async ({ userId }, call) => ({ user: userMessage(await deactivate(context, userId, call)) }),
    reactivate: async ({ userId }, call) => ({ user: userMessage(await reactivate(context, userId, call)) }),
  };
}
