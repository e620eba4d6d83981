// What the operator of the server does without an account: people are named by their user name.
import { create } from "@bufbuild/protobuf";
import { invalidFields, SignUpRequestSchema, type User, User_Role, violationsOf } from "@parlor/contract";
import type { Call } from "../../domain/call.ts";
import { newId } from "../../domain/ids.ts";
import { notExisting } from "../../domain/refusals.ts";
import { originOf } from "../../domain/security-log.ts";
import { findUserByName, insertUser, listUsers as listRows } from "../../store/users.ts";
import type { Credentials } from "../auth/credentials.ts";
import { usernameTaken } from "../auth/sign-up.ts";
import { deactivate, reactivate, setRole } from "./accounts.ts";
import { userMessage } from "./user-message.ts";
import type { UsersContext } from "./users-context.ts";

export interface Newcomer {
  readonly username: string;
  readonly password: string;
  readonly displayName?: string;
  readonly role: User_Role;
}

/** Every method fails with a ParlorError or DatabaseError. */
export interface Operator {
  /** Makes an account, also when signing up is switched off. @throws ParlorError as AuthService.SignUp */
  createUser(newcomer: Newcomer): Promise<User>;
  /** @throws ParlorError NOT_FOUND, FAILED_PRECONDITION/LAST_ADMIN */
  setRole(username: string, role: User_Role): Promise<User>;
  /** @throws ParlorError NOT_FOUND, FAILED_PRECONDITION/LAST_ADMIN */
  deactivate(username: string): Promise<User>;
  /** @throws ParlorError NOT_FOUND */
  reactivate(username: string): Promise<User>;
  /** People by user name, those after `after`, at most 200. */
  listUsers(filter: { readonly role?: User_Role; readonly after?: string }): Promise<User[]>;
  /** A call in the name of a person, for services that act for one. @throws ParlorError NOT_FOUND */
  callFor(username: string): Promise<Call>;
}

export function createOperator(context: UsersContext, credentials: Credentials): Operator {
  const call: Call = { requestId: "", protocol: "internal", address: "" };
  const idOf = async (username: string) => (await findByName(context, username)).id;
  return {
    createUser: (newcomer) => createUser(context, credentials, newcomer, call),
    setRole: async (username, role) => userMessage(await setRole(context, await idOf(username), role, call)),
    deactivate: async (username) => userMessage(await deactivate(context, await idOf(username), call)),
    reactivate: async (username) => userMessage(await reactivate(context, await idOf(username), call)),
    listUsers: async (filter) => (await listRows(context.store, { ...filter, limit: 200 })).map(userMessage),
    async callFor(username) {
      const { id, role } = await findByName(context, username);
      return { ...call, caller: { userId: id, username: username.toLowerCase(), role, sessionId: "" } };
    },
  };
}

async function createUser(
  { store, clock, securityLog }: UsersContext,
  credentials: Credentials,
  newcomer: Newcomer,
  call: Call,
): Promise<User> {
  const { password, role } = newcomer;
  const request = create(SignUpRequestSchema, { username: newcomer.username, password, displayName: newcomer.displayName ?? "" });
  const violations = violationsOf(SignUpRequestSchema, request);
  if (violations.length > 0) throw invalidFields(...violations);
  const username = request.username.toLowerCase();
  const user = await insertUser(store, {
    id: newId(clock.now()),
    username,
    display_name: request.displayName || username,
    role,
    password_hash: await credentials.hashNew(password, "password"),
    created_at: new Date(clock.now()),
  });
  if (!user) throw usernameTaken();
  securityLog.record({ event: "signed_up", subjectId: user.id, detail: User_Role[role], ...originOf(call) });
  return userMessage(user);
}

async function findByName({ store }: UsersContext, username: string) {
  const user = await findUserByName(store, username.toLowerCase());
  if (!user) throw notExisting();
  return user;
}
