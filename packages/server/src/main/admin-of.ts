import { create } from "@bufbuild/protobuf";
import { timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { ApiToken_Scope, CreateApiTokenRequestSchema, invalidFields, type User, User_Role, violationsOf } from "@parlor/contract";
import type { Auth } from "../services/auth/create-auth.ts";
import { createOperator } from "../services/users/operator.ts";
import type { Accounts } from "./accounts.ts";
import type { Admin, AdminKey, AdminToken, AdminUser, RoleName, ScopeName } from "./admin.ts";

/** The operator's commands on these accounts. */
export function adminOf({ auth, users }: Accounts): Admin {
  const operator = createOperator(users, auth.credentials);
  return {
    createUser: async (request) => adminUser(await operator.createUser({ ...request, role: User_Role[request.role] })),
    setRole: async ({ username, role }) => adminUser(await operator.setRole(username, User_Role[role])),
    deactivate: async ({ username }) => adminUser(await operator.deactivate(username)),
    reactivate: async ({ username }) => adminUser(await operator.reactivate(username)),
    listUsers: async ({ role, after }) => ({
      users: (await operator.listUsers({ ...(role && { role: User_Role[role] }), ...(after && { after }) })).map(adminUser),
    }),
    createToken: async (request) => createToken({ auth, users }, request),
    listKeys: () => listKeys(auth),
    rotateKey: async () => {
      await auth.keys.rotate();
      users.securityLog.record({ event: "signing_key_rotated", requestId: "", protocol: "internal", address: "" });
      return listKeys(auth);
    },
  };
}

async function listKeys({ keys }: Auth): Promise<{ readonly keys: readonly AdminKey[] }> {
  const states = await keys.list();
  return { keys: states.map(({ kid, use, createdAt }) => ({ id: kid, use, ...(createdAt && { createdAt: createdAt.toISOString() }) })) };
}

async function createToken(
  { auth, users }: Accounts,
  { username, name, scopes, expiresAt }: Parameters<Admin["createToken"]>[0],
): Promise<AdminToken> {
  const call = await createOperator(users, auth.credentials).callFor(username);
  const request = create(CreateApiTokenRequestSchema, {
    name,
    scopes: scopes.map((scope) => ApiToken_Scope[scope]),
    ...(expiresAt && { expiresAt: timestampFromDate(new Date(expiresAt)) }),
  });
  const violations = violationsOf(CreateApiTokenRequestSchema, request);
  if (violations.length > 0) throw invalidFields(...violations);
  const { token, apiToken } = await auth.authService.createApiToken(request, call);
  if (!token || !apiToken?.id) throw new Error("CreateApiToken answered without a token.");
  return {
    id: apiToken.id,
    token,
    name,
    scopes: scopes as readonly ScopeName[],
    ...(expiresAt && { expiresAt: new Date(expiresAt).toISOString() }),
  };
}

function adminUser({ id, username, displayName, role, createdAt, deactivated }: User): AdminUser {
  const at = createdAt ? timestampDate(createdAt).toISOString() : "";
  return { id, username, displayName, role: User_Role[role] as RoleName, createdAt: at, deactivated };
}
